# Finds the image: its id comes into h_id and a name of it into h_ref.
# The id of image $1 into h_found, which stays empty where there is none.
h_image_id() {
  h_code=0
  h_found=$(h_docker "$h_status_seconds" image inspect -f '{{.Id}}' -- "$1" 2>&1 </dev/null) || h_code=$?
  if [ "$h_code" = 0 ]; then h_found=$(printf '%s\n' "$h_found" | tail -n 1); return 0; fi
  case $h_found in *"o such image"* | *"o such object"* | *"image not known"*) h_found=; return 0 ;; esac
  h_refused "$h_code" "$h_status_seconds" docker "$h_found"
}
# Loads the image file; what was in it comes into h_refs, a line each, sorted: docker's order changes.
h_load() {
  h_code=0
  h_refs=$(h_docker "$h_load_seconds" load -q -i "$h_tar" 2>&1 </dev/null) || h_code=$?
  [ "$h_code" = 0 ] || h_refused "$h_code" "$h_load_seconds" "the image file $h_tar cannot be loaded" "$h_refs"
  h_refs=$(printf '%s\n' "$h_refs" | sed -n 's/^Loaded image[^:]*: *//p' | sort)
  [ -n "$h_refs" ] || h_fail "the image file $h_tar holds no image"
}
# Of the loaded images the one that is asked for, or the only one.
h_choose() {
  h_load
  h_ids=
  h_image_id "$h_image"
  h_asked=$h_found
  for h_ref in $h_refs; do
    h_image_id "$h_ref"
    case " $h_ids " in *" $h_found "*) ;; *) h_ids="$h_ids${h_ids:+ }$h_found" ;; esac
  done
  case " $h_ids " in
    *" $h_asked "*) if [ -n "$h_asked" ]; then h_id=$h_asked h_ref=$h_image; return; fi ;;
  esac
  case $h_ids in
    *" "*) h_fail "the image file $h_tar holds several images ($(printf '%s' "$h_refs" | tr '\n' ' ')) and none is $h_image: name one of them as service.image" ;;
  esac
  h_id=$h_ids
}
h_find_image() {
  if [ -n "$h_want" ]; then
    h_image_id "$h_want"
    if [ -z "$h_found" ] && [ -n "$h_tar" ] && [ -r "$h_tar" ]; then h_load; h_image_id "$h_want"; fi
    [ -n "$h_found" ] || h_fail "the image $h_want, which $h_version was deployed with as $h_image, is not on this machine any more, and another one is not taken for it: load it again by docker load, or deploy $h_version anew"
    h_id=$h_found h_ref=$h_want
    # By its name where that still means this image: people read it in docker ps.
    h_image_id "$h_image"
    [ "$h_found" != "$h_id" ] || h_ref=$h_image
    return
  fi
  if [ -n "$h_tar" ]; then h_choose; return; fi
  h_image_id "$h_image"
  [ -n "$h_found" ] || h_fail "the image $h_image is not on this machine, and images are never pulled: put image.tar into the package or load it by hand"
  h_id=$h_found h_ref=$h_image
}

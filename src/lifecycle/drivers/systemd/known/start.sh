# $1 tenths it must live  $2 portable image or empty.
h_settle=$1 h_image=$2
h_last() { printf '%s\n' "$1" | tail -n 1; }
# The directory or file of an image: a path without symbolic links, or a name on portablectl's search path. Last where
# attaching leaves links: an image of the same name from elsewhere that is attached is not the one that is meant.
h_image_path() {
  case $1 in */*) readlink -f -- "$1"; return ;; esac
  for h_top in /var/lib/portables /usr/lib/portables /usr/local/lib/portables /run/portables /etc/portables; do
    for h_found in "$h_top/$1" "$h_top/$1.raw"; do [ ! -e "$h_found" ] || { readlink -f -- "$h_found"; return; }; done
  done
}
h_attach() {
  command -v portablectl >/dev/null 2>&1 || h_fail "portablectl is not installed on this machine"
  h_root=$(h_property RootDirectory)$(h_property RootImage)
  if [ -n "$h_root" ]; then
    [ "$(readlink -f -- "$h_root")" != "$(h_image_path "$h_image")" ] || return 0
    h_taken foreign "it belongs to the image $h_root, not to $h_image: stop it and run portablectl detach $h_root first"
  fi
  [ "$(h_seen_is LoadState)" = not-found ] ||
    h_taken foreign "it belongs to no portable image (it is the one of $(h_seen_is FragmentPath)); give the image's unit another name"
  # Checked before it is attached: an image without the unit is not left attached.
  h_path=$(h_image_path "$h_image")
  h_units=$(LC_ALL=C portablectl inspect -- "${h_path:-$h_image}" 2>&1) ||
    h_fail "the portable image $h_image cannot be read: $(h_last "$h_units")"
  h_file=$h_unit
  case $h_unit in *@*.*) h_file=${h_unit%%@*}@.${h_unit##*.} ;; esac
  printf '%s\n' "$h_units" | tr -d ' \t' | grep -q -x -F -e "$h_file" ||
    h_fail "the portable image $h_image has no unit $h_file that its prefixes allow"
  h_error=$(portablectl attach -- "${h_path:-$h_image}" 2>&1) ||
    h_fail "the portable image $h_image cannot be attached: $(h_last "$h_error")"
  h_attached=yes
}
h_undo() { # what this start began, and nothing else
  [ -z "$h_attached" ] || portablectl detach -- "${h_path:-$h_image}" >/dev/null 2>&1
  [ -z "$h_claim" ] || [ -n "$h_had_claim" ] || rm -f "$h_record"
}
h_attached= h_had_claim=
h_look_known
[ "$(h_seen_is LoadState)" != masked ] || h_taken foreign "it is masked (systemctl unmask $h_unit)"
[ -z "$h_image" ] || h_attach
h_look_known
[ "$(h_seen_is LoadState)" != not-found ] || h_fail "the unit $h_unit does not exist on this machine"
if h_has_claim; then h_had_claim=yes; fi
if [ "$(h_seen_is ActiveState)" = active ]; then
  # One that we stopped has no start in its record: then somebody else started it.
  if [ -z "$h_claim" ] || { h_has_claim && [ -n "$(h_recorded invocation)" ]; }; then
    h_write_claim "$(h_seen_is InvocationID)" "$(h_seen_is NRestarts)"
    h_look_known; h_report; exit 0
  fi
  h_taken foreign "it is active already and was not started by this service; stop it (systemctl stop $h_unit) to let this service take it over"
fi
systemctl reset-failed -- "$h_unit" 2>/dev/null
# Before the start: should this be cut off, the unit can still be stopped as ours.
h_write_claim "" ""
h_started() { h_write_claim "$(h_seen_is InvocationID)" "$(h_seen_is NRestarts)"; h_look_known; }
h_start_unit

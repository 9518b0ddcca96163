# $1 directories  $2 digests in the cache  $3 files in envs/ to keep  $4 directories in run/ to keep, a line each
# $5 bytes of the record on stdin, which is written first so that no record names what is gone.
d_held
d_replace "$base/state.json" "$5"
d_lines() { [ -z "$1" ] || printf '%s\n' "$1"; }
d_lines "$1" | while IFS= read -r d_item; do
  # Moved away in one rename first, so that half a release is never visible.
  [ ! -e "$stage/gone" ] || rm -rf "$stage/gone"
  mv "$d_item" "$stage/gone" 2>/dev/null || :
  [ ! -e "$stage/gone" ] || rm -rf "$stage/gone"
done
d_lines "$2" | while IFS= read -r d_item; do rm -f "$root/.harness/cache/$d_item"; done
d_nl='
'
d_sweep_dir() { # directory, what to keep
  for d_item in "$1"/*; do
    [ -e "$d_item" ] || continue
    case "$d_nl$2$d_nl" in *"$d_nl${d_item##*/}$d_nl"*) ;; *) rm -rf "$d_item" ;; esac
  done
}
d_sweep_dir "$base/envs" "$3"
d_sweep_dir "$base/run" "$4"

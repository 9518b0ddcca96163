# $1 directories  $2 digests in the cache  $3 files in envs/ to keep  $4 directories in run/ to keep, a line each
# $5 bytes of the record on stdin, which is written first so that no record names what is gone.
#include sweep
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
d_sweep_all "$3" "$4"

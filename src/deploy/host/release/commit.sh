# $1 bytes of the record on stdin  $2 `sweep` or nothing, and what sweep.sh takes.
#include sweep
d_held
# In memory as well: the reserve is removed only if the disk is full, and then it is written again.
d_text=$(cat)
d_write() { printf '%s\n' "$d_text" | cat > "$stage/new" && [ "$(wc -c < "$stage/new")" -eq "$1" ]; }
if ! d_write "$1" 2>/dev/null; then
  rm -f "$stage/reserve"
  printf '%s\n' "$d_text" | d_receive "$stage/new" "$1"
fi
d_sync
d_while_held mv -f "$stage/new" "$base/state.json"
rm -f "$stage/reserve" "$base/recover.sh"
d_sync
# The deployment has happened: this cannot fail it any more.
if [ "${2:-}" = sweep ] && d_sweep_all "$3" "$4" 2>/dev/null; then echo @swept; fi

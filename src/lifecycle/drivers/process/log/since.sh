# The last $1 lines of what was written since the time $2, in seconds: from the last mark before it.
if [ -n "$h_earlier" ] || [ ! -f "$h_log.times" ]; then
  echo "it has no times yet, since its program was started by an earlier version; restart the service, or omit the time" >&2
  exit 1
fi
# A file that is gone may have left its inode to a newer one: its marks then are not those next to each other at the end.
h_mark=$(awk -v t="$2" '
  $2 != last { n[$2]++; last = $2 }
  $1 <= t { inode = $2; bytes = $3; run = n[$2] }
  END { if (inode != "" && n[inode] == run) print inode, bytes }' "$h_log.times")
h_inode=${h_mark% *} h_bytes=${h_mark#* }
if [ -z "$h_mark" ] || [ "$h_bytes" = 0 ]; then h_log_since "$h_inode" 0 "$1"; exit; fi
# From one byte before the mark on: the line that it is in the middle of, or the end of the one before, is left out.
h_log_since "$h_inode" $((h_bytes - 1)) "$(($1 + 1))" | sed 1d | tail -n "$1"

# The last $1 lines of the run.
if [ -n "$h_earlier" ]; then
  h_lines=$1
  set -- /bin/sh -c '[ -f "$1" ] || exit 0; f=$3; [ "$f" -le "$(wc -c < "$1")" ] || f=0; tail -c +$((f + 1)) "$1" | tail -n "$2"' sh "$h_earlier" "$h_lines" "${p_from:-0}"
  #include as_service
  exec "$@" 7</dev/null 8</dev/null
fi
# A run of the version before, with its log where it is now.
[ -n "$p_inode" ] || [ -z "$p_from" ] || p_inode=$(h_inode "$h_log")
h_log_since "$p_inode" "${p_from:-0}" "$1"

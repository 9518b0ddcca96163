# The last $1 lines.
# shellcheck disable=SC3013 # dash, ksh and BusyBox have -ef too
if [ -n "$h_earlier" ]; then
  h_lines=$1
  set -- /bin/sh -c 'for f in "$1.1" "$1"; do [ ! -f "$f" ] || tail -n "$2" "$f"; done 2>/dev/null | tail -n "$2"' sh "$h_earlier" "$h_lines"
  #include as_service
  exec "$@" 7</dev/null 8</dev/null
fi
# Opened before either is read, so that a rotation meanwhile neither hides nor doubles a line.
exec 4</dev/null 3</dev/null
[ ! -f "$h_log" ] || exec 4<"$h_log"
[ ! -f "$h_log.1" ] || exec 3<"$h_log.1"
h_there=0
[ ! -f "$h_log" ] || h_there=$(wc -l < "$h_log")
# The older one only where the newer is read whole: a line may begin in one and end in the other.
if [ "$h_there" -ge "$1" ]; then exec tail -n "$1" <&4; fi
{ [ /proc/self/fd/3 -ef /proc/self/fd/4 ] || tail -n "$1" <&3; cat <&4; } 2>/dev/null | tail -n "$1"

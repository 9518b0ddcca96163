# Closes what the caller has left open: 3 to 9 here, higher numbers (no shell but some can) in front of "$@". The
# starter of our own process may have given it a lock or a pipe that must not live as long as the service.
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
h_closer='for f in /proc/self/fd/*; do f=${f##*/}; case $f in [0-9] | *[!0-9]*) ;; *) eval "exec $f>&-" ;; esac; done; exec "$@"'
h_high=
for h_fd in "/proc/$$/fd"/[1-9][0-9]*; do [ ! -e "$h_fd" ] || h_high=yes; done
if [ -z "$h_high" ]; then :
elif command -v bash >/dev/null 2>&1; then set -- "$(command -v bash)" -p -c "$h_closer" bash "$@"
elif command -v perl >/dev/null 2>&1; then
  set -- "$(command -v perl)" -e 'use POSIX; POSIX::close($_) for 10 .. 1023; exec { $ARGV[0] } @ARGV; exit 127' "$@"
elif command -v python3 >/dev/null 2>&1; then
  set -- "$(command -v python3)" -I -c 'import os, sys; os.closerange(10, 1024); os.execvp(sys.argv[1], sys.argv[1:])' "$@"
fi

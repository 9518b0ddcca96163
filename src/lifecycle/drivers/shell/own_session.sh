# Puts what makes "$@" run in a session of its own in front of it, where the machine has a tool for that.
h_session=yes
if command -v setsid >/dev/null 2>&1; then
  set -- "$(command -v setsid)" "$@"
elif busybox setsid true >/dev/null 2>&1; then
  set -- "$(command -v busybox)" setsid "$@"
elif command -v perl >/dev/null 2>&1; then
  set -- "$(command -v perl)" -e 'use POSIX; POSIX::setsid(); exec { $ARGV[0] } @ARGV; exit 127' "$@"
elif command -v python3 >/dev/null 2>&1; then
  set -- "$(command -v python3)" -I -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@"
else
  h_session=
fi

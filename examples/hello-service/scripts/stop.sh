#!/bin/sh
# Asks the server to finish what it is answering and to end; fine when it does not run.
set -eu
. "$(dirname -- "$0")/runtime.sh"
[ -f "$pid_file" ] || exit 0
pid=$(cat "$pid_file")
# The number may belong to somebody else by now: only a process that runs our server is signalled.
case $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null || true) in
  *"/bin/server."*) kill -TERM "$pid" 2>/dev/null || true ;;
esac
rm -f "$pid_file"

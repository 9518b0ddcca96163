#!/bin/sh
# Runs in the foreground: `exec` makes the server this very process, so signals reach it.
set -eu
. "$(dirname -- "$0")/runtime.sh"
mkdir -p "$run_dir"
echo $$ >"$pid_file"
exec_server

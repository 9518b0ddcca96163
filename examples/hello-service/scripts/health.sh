#!/bin/sh
# Exit 0: healthy. The answer of /healthz is printed, so that a failed check says why.
set -eu
. "$(dirname -- "$0")/runtime.sh"
exec_server --check

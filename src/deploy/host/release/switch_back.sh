# $1 directory or empty  $2 file in envs/ or empty  $3 owner or empty.
if [ -n "$1" ]; then d_link "$1"; d_env "$2"; else rm -f "$base/current" "$base/env"; fi
shift 2
#include give_dirs

# $1 bytes of the record on stdin.
d_held
d_replace "$base/state.json" "$1"

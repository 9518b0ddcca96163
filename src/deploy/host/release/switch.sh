# $1 release directory  $2 file in envs/  $3 bytes of the record on stdin.
d_held
d_receive "$stage/new" "$3"
d_sync_file "$stage/new"
d_switch() { mv -f "$stage/new" "$base/state.json" && d_link "$1" && d_env "$2"; }
d_while_held d_switch "$1" "$2"

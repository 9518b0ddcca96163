# $1 release directory  $2 file in envs/  $3 bytes of the recovery script and $4 of the record on stdin, one after the
# other  $5 bytes kept back.
d_held
umask 077
# Not zeros: a file system that compresses would reserve nothing.
head -c "$5" /dev/urandom > "$stage/reserve"
d_receive "$stage/sent" "$(($3 + $4))"
head -c "$3" "$stage/sent" > "$stage/recover"
umask 022
tail -c "$4" "$stage/sent" > "$stage/new"
d_sync_file "$stage/recover" "$stage/new"
d_switch() {
  mv -f "$stage/recover" "$base/recover.sh" && mv -f "$stage/new" "$base/state.json" && d_link "$1" && d_env "$2"
}
echo @switching
d_while_held d_switch "$1" "$2"

# $1 bytes of the script on stdin  $2 bytes kept back.
d_held
umask 077
# Not zeros: a file system that compresses would reserve nothing.
head -c "$2" /dev/urandom > "$stage/reserve"
d_replace "$base/recover.sh" "$1"

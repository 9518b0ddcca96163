# $1 file in envs/ that is compared with stdin  $2 release directory.
d_held
[ "$(readlink "$base/current")" = "$2" ] || exit 1
cmp -s - "$base/envs/$1"

# $1 pid file  $2 log  $3 the log as the version before had it, or empty  $4 user, or empty.
# A run that the version before started writes to a directory of its user's until it is started anew: there nobody
# reads but that user, whatever the name leads to.
h_log=$2 h_earlier=
h_load "$1" && [ -z "$p_log" ] && [ -n "$3" ] && h_earlier=$3
[ -z "$p_log" ] || h_log=$p_log
h_as=$4 h_dir=/ h_env= h_id=
shift 4
if [ -n "$h_earlier" ]; then
  h_login || { echo "the user $h_as does not exist on this machine" >&2; exit 1; }
fi

# $1 lines, or `follow`.  $2 the time to begin at, in seconds.
# shellcheck disable=SC2209 # h_exec is a word before a command
h_fail() { echo "$*" >&2; exit 1; }
h_silent() { h_fail "Docker did not respond within $1 s"; }
h_look "$h_name"
h_ours || h_fail "there is no container of this service"
if [ "$1" = follow ]; then h_exec=exec; h_client docker logs --tail 0 -f "$s_id" 2>&1 </dev/null; fi
h_docker "$h_status_seconds" logs --since "$2" --tail "$1" "$s_id" 2>&1 </dev/null

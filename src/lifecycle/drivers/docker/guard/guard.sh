# Lives as long as the mark is its own. $1 container id  $2 mark file  $3 token  $4 `unit` for the unit's.
# `docker wait` returns when the container ends, and fails when the daemon stops.
# shellcheck disable=SC2015 # "a && b || c": c also when b fails, on purpose
trap '' HUP PIPE
h_id=$1 h_mark=$2 h_token=$3 h_away= h_tries=0
# A unit that starts with the machine finds what docker ended when the machine went down.
[ "$4" != unit ] || h_away=yes
h_mine() { { IFS= read -r h_line < "$h_mark"; } 2>/dev/null && [ "$h_line" = "$h_token" ]; }
while h_mine; do
  h_code=0
  h_seen=$(h_docker "$h_status_seconds" inspect --type container -f '{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}' "$h_id" 2>&1 </dev/null) || h_code=$?
  case $h_code:$h_seen in
    "0:running on-failure" | "0:restarting on-failure" | "0:paused on-failure")
      h_away= h_tries=0
      h_client docker wait "$h_id" >/dev/null 2>&1 </dev/null || h_away=yes ;;
    "0:exited on-failure")
      # The daemon ran all the time: the container ended by itself, and the restart policy was applied.
      [ -n "$h_away" ] && [ $h_tries -lt 5 ] || break
      h_tries=$((h_tries + 1))
      h_mine && h_docker "$h_change_seconds" start "$h_id" >/dev/null 2>&1 </dev/null ;;
    0:* | *"o such object"* | *"o such container"*) break ;;
    *) h_away=yes ;;
  esac
  sleep 1
done
if h_mine; then rm -f "$h_mark"; fi

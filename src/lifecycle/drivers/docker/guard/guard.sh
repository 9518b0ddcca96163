# Lives as long as the mark is its own. $1 container id  $2 mark file  $3 token  $4 `unit` for the unit's.
# `docker wait` returns when the container ends, and fails when the daemon stops.
# shellcheck disable=SC2015 # "a && b || c": c also when b fails, on purpose
trap '' HUP PIPE
h_id=$1 h_mark=$2 h_token=$3 h_away= h_tries=0 h_link= h_linked=
# A unit that starts with the machine finds what docker ended when the machine went down.
[ "$4" != unit ] || h_away=yes
h_mine() { { IFS= read -r h_line < "$h_mark"; } 2>/dev/null && [ "$h_line" = "$h_token" ]; }
# A connection that lasts as long as the daemon. One that is restarted ends its containers first, so that "docker wait"
# returns as for any other end, and behind a socket of systemd's nobody sees that it was away; but this has ended before
# the next daemon answers. Nothing is read from it. Should the guard be killed, it ends with the container's removal,
# as that cannot be written to /dev/full.
h_connect() {
  { h_exec="exec"; h_client docker events --filter "container=$h_id" --filter event=destroy --format '{{.ID}}' >/dev/full 2>/dev/null </dev/null; } &
  h_link=$!
}
# By its arguments: its number may be another process's by now.
h_connected() {
  [ -n "$h_link" ] && tr '\0' '\n' < "/proc/$h_link/cmdline" 2>/dev/null | grep -q -x -F -e "container=$h_id"
}
while h_mine; do
  h_connected || { [ -z "$h_linked" ] || h_away=yes; h_connect; }
  h_code=0
  h_seen=$(h_docker "$h_status_seconds" inspect --type container -f '{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}' "$h_id" 2>&1 </dev/null) || h_code=$?
  case $h_code:$h_seen in
    "0:running on-failure" | "0:restarting on-failure" | "0:paused on-failure")
      h_away= h_tries=0
      # Where events are not to be had, an end beside a daemon that answers is the container's own.
      ! h_connected || h_linked=yes
      # At once: what ended by itself, and is looked at only after a restart of docker, is started again.
      h_client docker wait "$h_id" >/dev/null 2>&1 </dev/null && continue
      h_connected || h_away=yes ;;
    "0:exited on-failure")
      # A daemon has answered: if it is the same, the container ended by itself, and the restart policy was applied.
      [ -z "$h_linked" ] || h_connected || h_away=yes
      [ -n "$h_away" ] && [ $h_tries -lt 5 ] || break
      h_tries=$((h_tries + 1))
      h_mine && h_docker "$h_change_seconds" start "$h_id" >/dev/null 2>&1 </dev/null ;;
    0:* | *"o such object"* | *"o such container"*) break ;;
    *) h_connected || h_away=yes ;;
  esac
  sleep 1
done
if h_connected; then kill "$h_link"; fi
if h_mine; then rm -f "$h_mark"; fi

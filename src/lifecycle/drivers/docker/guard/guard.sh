# Lives as long as the mark is its own. $1 container id  $2 mark file  $3 token  $4 `unit` for the unit's.
# `docker wait` returns when the container ends, and fails when the daemon stops.
# shellcheck disable=SC2015 # "a && b || c": c also when b fails, on purpose
trap '' HUP PIPE
h_id=$1 h_mark=$2 h_token=$3 h_away= h_tries=0
# A unit that starts with the machine finds what docker ended when the machine went down.
[ "$4" != unit ] || h_away=yes
h_mine() { { IFS= read -r h_line < "$h_mark"; } 2>/dev/null && [ "$h_line" = "$h_token" ]; }
# The ends of the container that this daemon has seen: what it remembers of events does not outlive it. One that is
# restarted ends its containers first, so that "docker wait" returns as for any other end; and behind a socket of
# systemd's nobody sees that it was away. By its own clock: until now, or it waits for more.
h_ends_seen() {
  h_now=$(h_docker "$h_status_seconds" info -f '{{.SystemTime}}' 2>/dev/null </dev/null) || h_now=$(date +%s)
  h_docker "$h_status_seconds" events --since 1 --until "$h_now" --filter "container=$h_id" \
    --filter event=die --filter event=died --format '{{.ID}}' 2>/dev/null </dev/null
}
while h_mine; do
  h_code=0
  h_seen=$(h_docker "$h_status_seconds" inspect --type container -f '{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}' "$h_id" 2>&1 </dev/null) || h_code=$?
  case $h_code:$h_seen in
    "0:running on-failure" | "0:restarting on-failure" | "0:paused on-failure")
      h_away= h_tries=0
      h_client docker wait "$h_id" >/dev/null 2>&1 </dev/null || h_away=yes ;;
    "0:exited on-failure")
      [ $h_tries -lt 5 ] || break
      h_tries=$((h_tries + 1))
      if [ -z "$h_away" ] && h_ends=$(h_ends_seen); then
        # The daemon ran all the time: the container ended by itself, and the restart policy was applied.
        [ -z "$h_ends" ] || break
        h_away=yes
      fi
      [ -z "$h_away" ] || ! h_mine || h_docker "$h_change_seconds" start "$h_id" >/dev/null 2>&1 </dev/null ;;
    0:* | *"o such object"* | *"o such container"*) break ;;
    *) h_away=yes ;;
  esac
  sleep 1
done
if h_mine; then rm -f "$h_mark"; fi

# $1 whole seconds of patience.
h_unguard
h_look "$h_name"
if h_ours; then
  # First the policy: after a restart of the daemon docker would start the container again.
  h_docker "$h_status_seconds" update --restart no "$s_id" >/dev/null 2>&1 </dev/null
  h_code=0 h_limit=$(($1 + h_stop_grace_seconds))
  h_words=$(h_docker "$h_limit" stop -t "$1" "$s_id" 2>&1 >/dev/null </dev/null) || h_code=$?
  case $h_code:$h_words in 0:* | *"o such "*) ;; *) h_refused "$h_code" "$h_limit" "docker stop" "$h_words" ;; esac
  h_show "$s_id"
else
  # Nothing of this service has its name. What somebody else has there is theirs.
  s_id=none
  h_tell container
fi
h_stray=$(h_strays "$s_id")
[ -z "$h_stray" ] || h_fail "a container of this service runs under another name, ${h_stray#* }: rename it back, or stop it by docker stop"

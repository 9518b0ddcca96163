# Sends SIGHUP to the main process of the container.
h_look "$h_name"
h_ours || h_fail "there is no container of this service"
h_code=0
h_words=$(h_docker "$h_status_seconds" kill -s HUP "$s_id" 2>&1 >/dev/null </dev/null) || h_code=$?
[ "$h_code" = 0 ] || h_refused "$h_code" "$h_status_seconds" "docker kill -s HUP" "$h_words"
h_show "$s_id"

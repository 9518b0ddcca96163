# Functions that create the container $h_name of image $1 with the ports `-p PORT:PORT[/udp]` of the other arguments.
# They leave the exit code in h_code and docker's words in h_words.
# By the docker client.
h_create() {
  h_from=$1
  shift
  # Docker would fetch an image that went away this moment; old ones do not know how not to.
  case $(h_docker "$h_status_seconds" create --help 2>/dev/null </dev/null) in *--pull*) set -- --pull never "$@" ;; esac
  set -- --name "$h_name" --label "harness.service=$h_service" --label "harness.root=$h_root" \
    --label "harness.release=$h_release" --label "harness.run=$h_run" --label "harness.print=$h_print" \
    --restart "$h_restart" --stop-signal "$h_stop" "$@"
  h_code=0
  if [ -n "$h_env" ]; then
    h_words=$(awk "$h_awk" file "$h_env" |
      h_docker "$h_change_seconds" create "$@" --env-file /dev/stdin -- "$h_from" 2>&1 >/dev/null) || h_code=$?
  else
    h_words=$(h_docker "$h_change_seconds" create "$@" -- "$h_from" 2>&1 >/dev/null </dev/null) || h_code=$?
  fi
}
# By the daemon's own interface, which takes any value and never pulls. The docker client only passes it on.
h_request() {
  h_from=$1
  shift
  h_retries=0
  case $h_restart in *:*) h_retries=${h_restart#*:} ;; esac
  h_body=$(awk "$h_awk" json "$h_env" "$h_from" "$h_stop" "${h_restart%%:*}" "$h_retries" \
    5 "harness.service" "$h_service" "harness.root" "$h_root" "harness.release" "$h_release" \
    "harness.run" "$h_run" "harness.print" "$h_print" "$@") || h_fail "its env file $h_env cannot be read"
  h_code=0
  h_words=$({
    printf 'POST /containers/create?name=%s HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n' "$h_name"
    printf 'Content-Length: %s\r\nConnection: close\r\n\r\n' "$(printf '%s' "$h_body" | wc -c | tr -d ' ')"
    printf '%s' "$h_body"
    # An end of input would be taken for a caller that went away.
    h_t=0
    while [ $h_t -lt $((h_change_seconds * 10)) ]; do h_nap; printf '\n' || break; done
  } 2>/dev/null | h_docker "$h_change_seconds" system dial-stdio 2>&1) || h_code=$?
  h_body=
  if h_late "$h_code"; then return; fi
  case $h_words in
    "HTTP/1."?" 201 "*) h_code=0 ;;
    "HTTP/1."*) h_code=1 ;;
    *) h_fail "the value of $(printf %s "$h_names" | tr '\n' ' ') cannot be given to this docker: it holds a line end or is longer than $h_env_line_bytes bytes, and docker system dial-stdio failed ($(printf '%s\n' "$h_words" | tail -n 1)); encode the value, in base64 for example, or install a newer docker" ;;
  esac
}

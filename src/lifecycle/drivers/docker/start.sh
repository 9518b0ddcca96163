# $1 image  $2 id of the recorded image or empty  $3 image tar or empty  $4 env file or empty  $5 restart policy
# $6 stop signal  $7 version  $8 tenths it must live  $9 run id, then `-p` words.
# shellcheck disable=SC2015 # "a && b || c": c also when b fails, on purpose
# Reports that something else is there, and what.
h_occupied() {
  h_show "$s_id"
  h_what="$s_state, image $s_image"
  if [ -n "$s_service" ] && [ "$s_service" != "$h_service" ]; then
    h_tell occupied "a container $h_name of the service $s_service is there ($h_what): uninstall that service, or give one of them another name"
  elif [ -n "$s_service" ] && [ -n "$s_root$s_install" ]; then
    h_tell occupied "a container $h_name of the installation under ${s_root:-${s_install%/*}} is there ($h_what): uninstall it there first"
  else
    h_tell occupied "a container $h_name that is not ours is there ($h_what): remove or rename it"
  fi
  exit 0
}
h_image=$1 h_want=$2 h_tar=$3 h_env=$4 h_restart=$5 h_stop=$6 h_version=$7 h_settle=$8 h_run=$9
shift 9
[ -z "$h_env" ] || [ -r "$h_env" ] || h_fail "its env file $h_env cannot be read"
h_look "$h_name"
[ -z "$s_id" ] || h_ours || h_occupied
h_stray=$(h_strays "${s_id:-none}")
[ -z "$h_stray" ] || { h_show "${h_stray%% *}"; h_tell occupied "a container of this service runs under another name, ${h_stray#* }: rename it back, or stop it"; exit 0; }
h_find_image
# What makes an existing container unfit: another image, environment, ports, policy or release than asked for.
h_digest() { if command -v sha256sum >/dev/null 2>&1; then sha256sum; else cksum; fi; }
h_print=$( { printf '%s\n' "$h_id" "$h_service" "$h_root" "$h_release" "$h_version" "$h_restart" "$h_stop" "$*"; [ -z "$h_env" ] || cat "$h_env"; } | h_digest)
h_print=${h_print%% *}
# Of the version before there is no such print: its container is as good as new when release and image are the same.
h_same() {
  [ "$s_image" = "$h_id" ] || return 1
  if [ -n "$s_root" ]; then [ "$s_print" = "$h_print" ]; else [ "$s_install" = "$h_release" ]; fi
}
if [ -n "$s_id" ] && h_up; then
  if ! h_same; then
    h_show "$s_id"
    h_from=${s_release:-$s_install}
    h_tell occupied "its container runs already, but from ${h_from:-another image} with other settings: stop it first"
    exit 0
  fi
  case $s_state in
    running) h_guard again; h_show "$s_id"; exit 0 ;;
    paused)
      h_code=0
      h_words=$(h_docker "$h_change_seconds" unpause "$s_id" 2>&1 >/dev/null </dev/null) || h_code=$?
      [ "$h_code" = 0 ] || h_refused "$h_code" "$h_change_seconds" "docker unpause" "$h_words"
      h_guard again; h_show "$s_id"; exit 0 ;;
  esac
  # Between two of docker's own restarts: from the beginning.
  h_docker "$h_change_seconds" stop -t 1 "$s_id" >/dev/null 2>&1 </dev/null
fi
if [ -n "$s_id" ] && { [ "$s_state" = dead ] || [ -z "$s_root" ] || ! h_same; }; then
  h_code=0
  h_words=$(h_docker "$h_change_seconds" rm -f "$s_id" 2>&1 >/dev/null </dev/null) || h_code=$?
  [ "$h_code" = 0 ] || h_refused "$h_code" "$h_change_seconds" "the old container cannot be removed" "$h_words"
  s_id=
fi
if [ -z "$s_id" ]; then
  [ -z "$h_env" ] || command -v awk >/dev/null 2>&1 || h_fail "awk is not installed on this machine"
  h_names=
  [ -z "$h_env" ] || h_names=$(awk "$h_awk" odd "$h_env") || h_fail "its env file $h_env cannot be read"
  if [ -z "$h_names" ]; then h_create "$h_ref" "$@"; else h_request "$h_ref" "$@"; fi
  [ "$h_code" = 0 ] || h_refused "$h_code" "$h_change_seconds" "docker create" "$h_words"
  h_new=$(h_docker "$h_status_seconds" ps -a --no-trunc --filter "label=harness.run=$h_run" --format '{{.ID}}' 2>/dev/null </dev/null | head -n 1)
  [ -z "$h_new" ] || h_look "$h_new"
  [ -n "$s_id" ] && [ "$s_image" = "$h_id" ] && h_ours || {
    [ -z "$s_id" ] || h_docker "$h_change_seconds" rm -f "$s_id" >/dev/null 2>&1 </dev/null
    h_fail "the container that was created is another one than was asked for: something else on this machine works on the same names"
  }
else
  # A stop of ours took the policy away.
  h_docker "$h_change_seconds" update --restart "$h_restart" "$s_id" >/dev/null 2>&1 </dev/null
fi
h_mine=$s_id
h_since=$(date +%s)
h_give_up() {
  h_docker "$h_status_seconds" update --restart no "$s_id" >/dev/null 2>&1 </dev/null
  h_show "$s_id"
  h_tell failed "$1"
  h_tell log
  h_docker "$h_status_seconds" logs --since "$h_since" --tail "$h_failure_lines" "$s_id" 2>&1 </dev/null |
    tail -c "$h_failure_bytes"
  h_docker "$h_change_seconds" stop -t 1 "$s_id" >/dev/null 2>&1 </dev/null
  exit 0
}
h_code=0
h_words=$(h_docker "$h_change_seconds" start "$s_id" 2>&1 >/dev/null </dev/null) || h_code=$?
if [ "$h_code" != 0 ]; then
  h_late "$h_code" && h_silent "$h_change_seconds"
  h_give_up "docker start: $(printf '%s\n' "$h_words" | grep -v '^Error: failed to start' | tail -n 1)"
fi
# What was started now, and nothing that took its place: docker counts restarts from zero again at each start.
h_life() { h_docker "$h_status_seconds" inspect --type container -f '{{.State.Status}} {{.State.Pid}} {{.State.StartedAt}}' "$s_id" 2>/dev/null </dev/null; }
h_born=$(h_life)
h_t=0
while [ $h_t -lt "$h_settle" ]; do h_nap; done
case $h_born in "running "*) ;; *) h_give_up "it did not stay up" ;; esac
[ "$(h_life)" = "$h_born" ] || h_give_up "it did not stay up"
h_look "$h_name"
[ "$s_id" = "$h_mine" ] || { s_id=$h_mine; h_give_up "its container lost the name $h_name while it started"; }
h_guard anew
h_show "$s_id"
exit 0

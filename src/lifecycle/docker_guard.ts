/**
 * The guard of a container with the policy `on-failure`: starts it again after docker itself was restarted.
 *
 * Docker does not, where the container ended with exit code 0 when docker stopped it: for docker that is an end of its
 * own. And it does, whatever the code, where we had stopped a container before: so a stop takes the policy away.
 *
 * @module
 */
import { DOCKER_CHANGE_SECONDS, DOCKER_LOOK_SECONDS } from "./docker_limits.ts";
import { RUN_DOCKER } from "./docker_shell.ts";

/**
 * Lives in a session of its own as long as the mark is its own. $1 container id  $2 mark file  $3 token.
 *
 * \`docker wait\` comes back when the container ends, and fails when docker goes away.
 */
const GUARD = `${RUN_DOCKER}
trap '' HUP PIPE
h_id=$1 h_mark=$2 h_token=$3 h_away= h_tries=0
h_mine() { { IFS= read -r h_line < "$h_mark"; } 2>/dev/null && [ "$h_line" = "$h_token" ]; }
while h_mine; do
  h_code=0
  h_seen=$(h_docker ${DOCKER_LOOK_SECONDS} inspect --type container -f '{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}' "$h_id" 2>&1 </dev/null) || h_code=$?
  case $h_code:$h_seen in
    "0:running on-failure" | "0:restarting on-failure" | "0:paused on-failure")
      h_away= h_tries=0
      h_client docker wait "$h_id" >/dev/null 2>&1 </dev/null || h_away=yes ;;
    "0:exited on-failure")
      # With docker there all the time: an end of its own, and the policy has had its say.
      [ -n "$h_away" ] && [ $h_tries -lt 5 ] || break
      h_tries=$((h_tries + 1))
      h_mine && h_docker ${DOCKER_CHANGE_SECONDS} start "$h_id" >/dev/null 2>&1 </dev/null ;;
    0:* | *"o such object"* | *"o such container"*) break ;;
    *) h_away=yes ;;
  esac
  sleep 1
done
if h_mine; then rm -f "$h_mark"; fi
`;

/** Needs h_run_dir and h_service; \`h_guard\` needs s_id and h_restart. Best effort: a full disk is no reason not to start. */
export const GUARD_FUNCTIONS: string = `
h_mark=$h_run_dir/$h_service.container
h_unguard() { rm -f "$h_mark" 2>/dev/null; }
# Whether the guard that wrote the mark still lives.
h_guarded() {
  { IFS= read -r h_token && IFS= read -r h_pid; } 2>/dev/null < "$h_mark" || return 1
  case $h_pid in '' | *[!0-9]*) return 1 ;; esac
  tr '\\0' '\\n' < "/proc/$h_pid/cmdline" 2>/dev/null | grep -q -x -F -e "$h_token"
}
h_guard() {
  case $h_restart in on-failure*) ;; *) return 0 ;; esac
  [ "$1" = anew ] || ! h_guarded || return 0
  ( umask 077; mkdir -p "$h_run_dir" && printf '%s\\n' "$h_run" > "$h_mark" ) 2>/dev/null || return 0
  h_session=
  if command -v setsid >/dev/null 2>&1; then h_session=setsid
  elif busybox setsid true >/dev/null 2>&1; then h_session='busybox setsid'
  elif command -v nohup >/dev/null 2>&1; then h_session=nohup; fi
  # Not our child: whoever gives this script up kills it with its children.
  ( cd / && h_client $h_session sh -c 'echo $$ >> "$2"; eval "$4"' harness-container-guard "$s_id" "$h_mark" "$h_run" "$h_guard_text" </dev/null >/dev/null 2>&1 & )
}
h_guard_text='${GUARD.replaceAll("'", `'"'"'`)}'
`;

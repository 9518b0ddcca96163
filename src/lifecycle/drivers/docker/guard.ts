/**
 * The guard of a container with the policy `on-failure`: starts it again after docker itself was restarted.
 *
 * Docker does not, where the container ended with exit code 0 when docker stopped it: for docker that is an end of its
 * own. And it does, whatever the code, where we had stopped a container before: so a stop takes the policy away.
 *
 * Where PID 1 is systemd and we are root, the guard is an enabled unit, so that it is there after a reboot; elsewhere it
 * has a session of its own, and goes with the machine. Its mark is a file in our run directory: the container is to
 * run. It goes with a stop, and when the container has ended by itself.
 *
 * @module
 */
import { DOCKER_CHANGE_SECONDS, DOCKER_LOOK_SECONDS } from "./limits.ts";
import { RUN_DOCKER } from "./shell.ts";

/**
 * Lives as long as the mark is its own. $1 container id  $2 mark file  $3 token  $4 `unit` for the unit's.
 *
 * \`docker wait\` comes back when the container ends, and fails when docker goes away.
 */
const GUARD = `${RUN_DOCKER}
trap '' HUP PIPE
h_id=$1 h_mark=$2 h_token=$3 h_away= h_tries=0
# A unit that starts with the machine finds what docker ended when the machine went down.
[ "$4" != unit ] || h_away=yes
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

/** All that the guard needs is docker's socket, and to remove its mark. */
const HARDENING = `CapabilityBoundingSet=
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=full
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native`;

/** Needs h_run_dir and h_service; `h_guard` needs s_id and h_restart. Best effort: a full disk is no reason not to start. */
export const GUARD_FUNCTIONS: string = `
h_mark=$h_run_dir/$h_service.container
h_unit=harness-$h_service-container.service
h_unit_file=/etc/systemd/system/$h_unit
# Whether the unit of that name is the one that we made for this install root.
h_our_unit() { grep -q -x -F -e "# harness-ws-server $h_root" "$h_unit_file" 2>/dev/null; }
h_unguard() {
  rm -f "$h_mark" "$h_mark.sh" 2>/dev/null
  h_our_unit || return 0
  systemctl disable --now "$h_unit" >/dev/null 2>&1 </dev/null
  rm -f "$h_unit_file"
  systemctl daemon-reload >/dev/null 2>&1 </dev/null
}
# Whether the guard that wrote the mark still lives.
h_guarded() {
  if h_our_unit && systemctl -q is-active "$h_unit" </dev/null; then return; fi
  { IFS= read -r h_token && IFS= read -r h_pid; } 2>/dev/null < "$h_mark" || return 1
  case $h_pid in '' | *[!0-9]*) return 1 ;; esac
  tr '\\0' '\\n' < "/proc/$h_pid/cmdline" 2>/dev/null | grep -q -x -F -e "$h_token"
}
# The daemon of this machine alone is there after a reboot; a path that systemd would read otherwise has a session.
h_guard_unit() {
  [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] && [ -z "\${DOCKER_HOST:-}\${DOCKER_CONTEXT:-}" ] || return 1
  command -v systemctl >/dev/null 2>&1 || return 1
  case $h_mark in *[!A-Za-z0-9/._~@+-]*) return 1 ;; esac
  [ ! -e "$h_unit_file" ] || h_our_unit || return 1
  printf '%s' "$h_guard_text" > "$h_mark.sh" || return 1
  {
    printf '# Made by harness-ws-server at each start of the container, removed at its stop.\\n# harness-ws-server %s\\n' "$h_root"
    printf '[Unit]\\nDescription=Starts the container of %s after docker was restarted\\nAfter=docker.service\\n' "$h_service"
    printf 'ConditionPathExists=%s\\n[Service]\\nType=exec\\nExecStart=/bin/sh %s %s %s %s unit\\n' "$h_mark" "$h_mark.sh" "$s_id" "$h_mark" "$h_run"
    printf '%s\\n' "$h_hardening"
    printf 'Environment="PATH=%s"\\n[Install]\\nWantedBy=multi-user.target\\n' "$PATH"
  } > "$h_unit_file.new" && mv -f "$h_unit_file.new" "$h_unit_file" || { rm -f "$h_unit_file.new"; return 1; }
  systemctl daemon-reload && systemctl -q enable "$h_unit" && systemctl restart "$h_unit" && return 0
  systemctl disable "$h_unit"
  rm -f "$h_unit_file"
  systemctl daemon-reload
  return 1
}
h_guard() {
  case $h_restart in on-failure*) ;; *) return 0 ;; esac
  [ "$1" = anew ] || ! h_guarded || return 0
  ( umask 077; mkdir -p "$h_run_dir" && printf '%s\\n' "$h_run" > "$h_mark" ) 2>/dev/null || return 0
  if ( umask 022; h_guard_unit ) >/dev/null 2>&1 </dev/null; then return 0; fi
  h_session=
  if command -v setsid >/dev/null 2>&1; then h_session=setsid
  elif busybox setsid true >/dev/null 2>&1; then h_session='busybox setsid'
  elif command -v nohup >/dev/null 2>&1; then h_session=nohup; fi
  # Not our child: whoever gives this script up kills it with its children. It holds nothing of ours open.
  (
    exec </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    cd / || exit 0
    h_exec=exec
    h_client $h_session sh -c 'echo $$ >> "$2"; eval "$4"' harness-container-guard "$s_id" "$h_mark" "$h_run" "$h_guard_text" &
  )
}
h_hardening='${HARDENING}'
h_guard_text='${GUARD.replaceAll("'", `'"'"'`)}'
`;

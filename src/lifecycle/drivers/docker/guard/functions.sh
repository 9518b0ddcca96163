# Needs h_run_dir and h_service; h_guard needs s_id and h_restart. Best effort: a full disk is no reason not to start.
# shellcheck disable=SC2015 # "a && b || c": c also when b fails, on purpose
# shellcheck disable=SC2209 # h_session and h_exec are words before a command
# shellcheck disable=SC2086 # h_session may be two words
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
  tr '\0' '\n' < "/proc/$h_pid/cmdline" 2>/dev/null | grep -q -x -F -e "$h_token"
}
# The daemon of this machine alone is there after a reboot; a path that systemd would read otherwise has a session.
h_guard_unit() {
  [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] && [ -z "${DOCKER_HOST:-}${DOCKER_CONTEXT:-}" ] || return 1
  command -v systemctl >/dev/null 2>&1 || return 1
  case $h_mark in *[!A-Za-z0-9/._~@+-]*) return 1 ;; esac
  [ ! -e "$h_unit_file" ] || h_our_unit || return 1
  printf '%s' "$h_guard_text" > "$h_mark.sh" || return 1
  {
    printf '# Made by harness-ws-server at each start of the container, removed at its stop.\n# harness-ws-server %s\n' "$h_root"
    printf '[Unit]\nDescription=Starts the container of %s after docker was restarted\nAfter=docker.service\n' "$h_service"
    printf 'ConditionPathExists=%s\n[Service]\nType=exec\nExecStart=/bin/sh %s %s %s %s unit\n' "$h_mark" "$h_mark.sh" "$s_id" "$h_mark" "$h_run"
    printf '%s\n' "$h_hardening"
    printf 'Environment="PATH=%s"\n[Install]\nWantedBy=multi-user.target\n' "$PATH"
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
  ( umask 077; mkdir -p "$h_run_dir" && printf '%s\n' "$h_run" > "$h_mark" ) 2>/dev/null || return 0
  if ( umask 022; h_guard_unit ) >/dev/null 2>&1 </dev/null; then return 0; fi
  h_session=
  if command -v setsid >/dev/null 2>&1; then h_session=setsid
  elif busybox setsid true >/dev/null 2>&1; then h_session='busybox setsid'
  elif command -v nohup >/dev/null 2>&1; then h_session=nohup; fi
  # Not our child: aborting this script kills it and its children. It holds none of our descriptors open.
  (
    exec </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    cd / || exit 0
    h_exec=exec
    h_client $h_session sh -c 'echo $$ >> "$2"; eval "$4"' harness-container-guard "$s_id" "$h_mark" "$h_run" "$h_guard_text" &
  )
}

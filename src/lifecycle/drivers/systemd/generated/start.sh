# $1 unit text  $2 run id  $3 tenths it must live  $4 env file  $5 user  $6 ports  $7 the text that checks a program as
# the user, then the argv.
h_text=$1 h_run=$2 h_settle=$3 h_env=$4 h_as=$5 h_ports=$6 h_check=$7
shift 7
# One start of a unit at a time, also of two installations: nobody changes it between check and start.
if command -v flock >/dev/null 2>&1; then
  exec 9>"/run/$h_unit.start"
  flock -w 60 9 || h_fail "another start of $h_unit is under way"
fi
h_examine
h_t=0
while [ "$(h_seen_is ActiveState)" = deactivating ] && h_is_ours && [ $h_t -lt 100 ]; do h_nap; h_look; done
# Not so between two restarts, or on its way down.
h_runs() {
  h_is_up || return 1
  case $(h_seen_is ActiveState).$(h_seen_is SubState) in deactivating.* | *.auto-restart*) return 1 ;; esac
}
if h_runs && h_is_this_release; then h_report; exit 0; fi
[ -z "$h_why" ] || { [ "$h_class" = elsewhere ] && h_gives_way; } || h_occupied
if h_runs; then h_why="it still runs $m_release"; h_occupied; fi
if h_is_up; then systemctl stop -- "$h_unit" >/dev/null 2>&1; fi
h_check_user
[ -d "$h_release" ] || h_fail "its working directory $h_release does not exist"
[ -z "$h_env" ] || [ -r "$h_env" ] || h_fail "its env file $h_env cannot be read"
# By the user: where the program is may be the user's own, who could let us open what is no program.
h_check_as_user() {
  if [ -z "$h_as" ] || [ "$(id -u "$h_as")" = 0 ]; then h_check_program "$1"; return; fi
  command -v setpriv >/dev/null 2>&1 || return 0
  env -i PATH="$PATH" setpriv --reuid="$h_as" --regid="$(id -g "$h_as")" --init-groups /bin/sh -c "$h_check" sh "$1" 9>&-
}
h_checked=$(cd "$h_release" && h_check_as_user "$1")
[ -z "$h_checked" ] || { printf '%s\n' "$h_checked"; exit 0; }
for h_port in $h_ports; do h_check_port "$h_port"; done
h_was=$(h_seen_is UnitFileState) h_before=
[ ! -f "$h_file" ] || h_before=$(cat "$h_file"; echo .)
h_write() { printf '%s' "$1" > "$h_file.new" && chmod 644 "$h_file.new" && mv -f "$h_file.new" "$h_file"; }
# A unit that was not this service's is as it was before, and one that was not there is gone.
h_undo() {
  case $h_class in none | elsewhere) ;; *) return 0 ;; esac
  [ "$h_was" = enabled ] || systemctl disable -- "$h_unit" >/dev/null 2>&1
  if [ -n "$h_before" ]; then h_write "${h_before%.}"; else rm -f "$h_file"; fi
  systemctl daemon-reload
  systemctl reset-failed -- "$h_unit" 2>/dev/null
}
h_error=$( { h_write "$h_text"; } 2>&1) || h_fail "its unit cannot be written: $(h_one_line "$h_error")"
systemctl daemon-reload
if [ "$(h_property LoadState)" != loaded ] || [ "$(h_property FragmentPath)" != "$h_file" ]; then
  h_error="systemd does not take its unit: $(h_property LoadState) $(h_property LoadError)"
  h_undo
  h_fail "$(h_one_line "$h_error")"
fi
systemctl reset-failed -- "$h_unit" 2>/dev/null
# Enabled while it is meant to run: it comes back after a reboot, and stays down after one when it was stopped.
systemctl enable -- "$h_unit" >/dev/null 2>&1
# An active unit of the name proves nothing: its own environment must have this run id. For a program that
# overwrites its environment, systemd must have just started this very unit text.
h_started() {
  h_found=$(h_carries run)
  [ "$h_found" != "$h_run" ] || return 0
  [ -z "$h_found" ] || h_not_started "run $h_found of $(h_carries release) runs instead of run $h_run: something sets HARNESS_RUN anew"
  case " $(h_seen_is Environment) " in *[\ \"]HARNESS_RUN=${h_run}[\ \"]*) return 0 ;; esac
  h_not_started "what runs is not run $h_run of $h_release: a drop-in sets its environment anew"
}
# Somebody else started it in between: it is not ours to stop.
h_look
if h_is_up && [ "$(h_carries run)" != "$h_run" ]; then
  h_undo
  h_why="it was started by somebody else just now"
  h_occupied
fi
h_start_unit

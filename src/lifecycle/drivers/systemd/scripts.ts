/**
 * The scripts that start, stop, reload and look at the units we make: POSIX sh text for machines with systemd, run as root.
 *
 * Each prints `@harness unit` with the unit's properties and what it carries, and where it did not work a line
 * `@harness failed|error|occupied …`. Text of others comes behind a `|` (the service's log) or a `!` (systemd's own
 * messages), so that no line of theirs is ever taken for one of ours. lifecycle/drivers/systemd/report.ts reads it.
 *
 * @module
 */
import { FAILURE_LOG_BYTES, FAILURE_LOG_LINES } from "../../limits.ts";
import { SAY } from "../process/scripts.ts";
import { PROCESS_LIBRARY } from "../process/shell.ts";

/** The properties that tell how a unit is and whose. */
export const UNIT_PROPERTIES =
  "Id,LoadState,ActiveState,SubState,MainPID,ExecMainCode,ExecMainStatus,Result,NRestarts,InvocationID," +
  "UnitFileState,FragmentPath,WorkingDirectory,Environment,EnvironmentFiles";

/** Prints what the environment of process $1 says of the run that it belongs to, as `@harness run|release|data …`. */
export const CARRIED: string = `
# A value may hold line ends: NUL and line end change places, so that no value can look like another variable.
h_carried() {
  [ "\${1:-0}" -gt 1 ] 2>/dev/null || return 0
  { tr '\\000\\012' '\\012\\001' < "/proc/$1/environ" |
    sed -n 's/^HARNESS_RUN=/@harness run /p; s/^HARNESS_INSTALL_DIR=/@harness release /p; s/^HARNESS_DATA_DIR=/@harness data /p'
  } 2>/dev/null
}
`;

/** Functions that look at a unit, start it and read its journal. */
export const UNIT_LIBRARY: string = `${CARRIED}
h_show() { systemctl show -p ${UNIT_PROPERTIES} -- "$h_unit"; }
h_property() { systemctl show -p "$1" -- "$h_unit" | cut -d= -f2-; }
h_seen_is() { printf '%s\\n' "$h_seen" | sed -n "s/^$1=//p"; }
h_carries() { printf '%s\\n' "$h_marks" | sed -n "s/^@harness $1 //p" | head -n 1; }
# Looks at the unit: its properties in h_seen, what its main process carries in h_marks.
h_look() { h_seen=$(h_show); h_marks=$(h_carried "$(h_seen_is MainPID)"); }
h_report() { h_say unit; printf '%s\\n%s\\n' "$h_seen" "$h_marks"; }
# An answer of systemctl in one line.
h_one_line() { printf '%s' "$1" | tr '\\n\\r' '  '; }
h_is_up() { case $(h_seen_is ActiveState) in active | reloading | refreshing | activating | deactivating | maintenance) ;; *) return 1 ;; esac; }
# The place in the journal from which on it is this start's.
h_here() {
  h_from=$(journalctl -q --no-pager -n 1 -o export 2>/dev/null | sed -n 's/^__CURSOR=//p')
  if [ -n "$h_from" ]; then h_from=--after-cursor=$h_from; else h_from=--since=@$(date +%s); fi
}
h_messages() { journalctl -q --no-pager -n ${FAILURE_LOG_LINES} -o cat "$h_from" "$@" 2>/dev/null | tail -c ${FAILURE_LOG_BYTES}; }
# Read when journald has written down what was said until now; how the unit ended may be known from there alone.
h_journal() {
  timeout 5 journalctl --sync >/dev/null 2>&1
  h_id=$(h_seen_is Id)
  h_messages _PID=1 UNIT="$h_id" | sed 's/^/!/'
  h_messages _SYSTEMD_UNIT="$h_id" + _PID=1 UNIT="$h_id" | sed 's/^/|/'
}
# Up, and not started anew since. Before version 235 systemd does not count its restarts: then both are empty.
h_stays_up() {
  case $(h_seen_is ActiveState) in active | reloading | refreshing) [ "$(h_seen_is NRestarts)" = "$h_restarts" ] ;; *) return 1 ;; esac
}
h_not_started() {
  h_report; h_say error "$(h_one_line "$1")"; h_journal
  systemctl stop -- "$h_unit" >/dev/null 2>&1
  h_undo
  exit 0
}
# Starts the unit and watches it for the first moments. A unit that restarts at once has not started.
h_start_unit() {
  h_here
  h_restarts=$(h_property NRestarts)
  if ! h_error=$(systemctl start -- "$h_unit" 2>&1); then h_look; h_not_started "$h_error"; fi
  h_t=0
  # Looked at all the time: once systemd starts it again, how it ended is no longer among its properties.
  while h_seen=$(h_show) && h_stays_up; do
    if [ $h_t -ge "$h_settle" ]; then h_look; h_started; h_report; exit 0; fi
    h_nap
  done
  while [ "$(h_seen_is ActiveState)" = deactivating ] && [ $h_t -lt 50 ]; do h_nap; h_seen=$(h_show); done
  h_marks=
  h_not_started "it did not stay up"
}
`;

/**
 * Whose a generated unit is. $1 unit  $2 service  $3 place  $4 run dir  $5 release  $6 digest of the text of earlier versions.
 *
 * Sets h_class: none, ours, unmarked (ours, by an earlier version), edited (ours, changed by hand), elsewhere (of another
 * installation), foreign; h_why in words, and m_… as the text says. Nothing here trusts the name.
 */
const EXAMINE = `
h_unit=$1 h_service=$2 h_place=$3 h_run_dir=$4 h_release=$5 h_digest=$6
h_file=/etc/systemd/system/$h_unit
shift 6
h_mark() { sed -n "3,7s|^# harness-$1: ||p" "$h_file" | head -n 1; }
h_text_value() { sed -n "s/^$1=//p" "$h_file" | head -n 1 | sed 's/%%/%/g'; }
h_read_marks() {
  m_service=$(h_mark service) m_place=$(h_mark place) m_release=$(h_mark release) m_run_dir=$(h_mark run-dir) m_run=$(h_mark run)
  h_written=$(sed -n '2s/^# harness-sha256: //p' "$h_file")
  if [ -z "$h_written" ]; then h_read_unmarked
  elif [ "$h_written" != "$(tail -n +3 "$h_file" | sha256sum | cut -d ' ' -f 1)" ]; then
    h_class=edited h_why="$h_file was edited by hand; move your changes to a drop-in (systemctl edit $h_unit) and remove the file"
  elif [ "$m_service" = "$h_service" ] && [ "$m_place" = "$h_place" ]; then h_class=ours
  else h_class=elsewhere h_why="it is the one of $m_place"
  fi
}
h_read_unmarked() {
  h_env_file=$(h_text_value EnvironmentFile)
  m_release=$(h_text_value WorkingDirectory)
  if [ "$(head -n 1 "$h_file")" != '# Made by harness-ws-server; written anew at each start.' ]; then
    m_release= h_why="$h_file was not made by harness-ws-server"
  elif [ "$(sed '/^Description=/d' "$h_file" | sha256sum | cut -d ' ' -f 1)" = "$h_digest" ]; then h_class=unmarked m_run_dir=$h_run_dir
  else
    case $h_env_file in
      "$h_place"/envs/*) h_class=unmarked ;;
      */.harness/*/envs/*) h_class=elsewhere m_place=\${h_env_file%/envs/*} h_why="it is the one of $m_place" ;;
      *) h_class=elsewhere h_why="it is that of another command" ;;
    esac
  fi
}
h_examine() {
  h_class=foreign h_changed= h_why= m_service= m_place= m_release= m_run_dir= m_run=
  h_look
  h_fragment=$(h_seen_is FragmentPath)
  if [ "$(h_seen_is LoadState)" = masked ]; then h_why="it is masked (systemctl unmask $h_unit)"
  elif [ -L "$h_file" ]; then h_why="$h_file is a link to $(readlink "$h_file")"
  elif [ "$(h_seen_is Id)" != "$h_unit" ]; then h_why="its name is an alias of $(h_seen_is Id)"
  elif [ -n "$h_fragment" ] && [ "$h_fragment" != "$h_file" ]; then h_why="it is the one of $h_fragment"
  elif [ -f "$h_file" ]; then h_read_marks
  elif [ -e "$h_file" ]; then h_why="$h_file is no file"
  elif ! h_is_up; then h_class=none
  elif [ "$(h_carries data)" = "$h_place/shared" ]; then h_class=ours m_run=$(h_carries run) m_release=$(h_carries release)
  else h_why="it runs, and its file is gone"
  fi
  case $h_class in none | ours | unmarked | elsewhere) h_examine_dropins ;; esac
}
# Where drop-ins of the unit may be, its own and those of its prefixes.
h_dropins() {
  h_names="$h_unit.d service.d" h_stem=\${h_unit%.service}
  while :; do
    case $h_stem in *-*) h_stem=\${h_stem%-*}; h_names="$h_names $h_stem-.service.d" ;; *) break ;; esac
  done
  for h_top in /etc/systemd/system.control /run/systemd/system.control /run/systemd/transient /etc/systemd/system \\
    /run/systemd/system /run/systemd/generator /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
    for h_name in $h_names; do
      for h_conf in "$h_top/$h_name"/*.conf; do [ ! -f "$h_conf" ] || printf '%s\\n' "$h_conf"; done
    done
  done
}
# A drop-in is the administrator's right, except where it makes the unit run something else than what was deployed.
h_examine_dropins() {
  h_keys='ExecStart|Type|User|DynamicUser|WorkingDirectory|RootDirectory|RootImage|EnvironmentFile'
  h_bad=$(h_dropins | while IFS= read -r h_conf; do
    h_key=$(sed -n -E "s/^[[:space:]]*($h_keys)[[:space:]]*=.*/\\\\1/p" "$h_conf" | head -n 1)
    [ -z "$h_key" ] || { printf 'its drop-in %s sets %s; take that out\\n' "$h_conf" "$h_key"; break; }
  done)
  [ -z "$h_bad" ] || h_changed=yes h_why=$h_bad
  [ -z "$h_bad" ] || [ "$h_class" != none ] || h_class=foreign
}
# Another installation's unit that was stopped there, or whose release is gone, gives way.
h_gives_way() { [ -z "$h_changed" ] && ! h_is_up && { [ "$(h_seen_is UnitFileState)" != enabled ] || [ ! -d "$m_release" ]; }; }
h_is_ours() { case $h_class in ours | unmarked) ;; *) return 1 ;; esac; }
# Whether what runs is the release that is asked for: its own environment says so, or where that says nothing the text.
h_is_this_release() {
  if [ "$(h_carries data)" = "$h_place/shared" ]; then [ "$(h_carries release)" = "$h_release" ]; return; fi
  h_is_ours || return 1
  if [ -n "$(h_carries run)" ] && [ "$(h_carries run)" != "$m_run" ]; then return 1; fi
  if [ -n "$(h_carries release)" ] && [ "$(h_carries release)" != "$h_release" ]; then return 1; fi
  [ -n "$m_run_dir" ] && { [ "$m_run_dir" = "$h_run_dir" ]; return; }
  [ "$m_release" = "$h_release" ]
}
h_verdict() {
  h_report
  printf '@harness place %s\\n@harness from %s\\n@harness class %s\\n@harness changed %s\\n' "$m_place" "$m_release" "$h_class" "$h_changed"
  if [ "$h_class" = elsewhere ] && h_gives_way; then h_say gives way; fi
  h_say why "$(h_one_line "$h_why")"
}
h_occupied() { h_verdict; h_say occupied; exit 0; }
`;

/**
 * As EXAMINE, then $1 unit text  $2 run id  $3 tenths it must live  $4 env file  $5 user  $6 ports  $7 the text that
 * checks a program as the user, then the argv.
 */
export const START_GENERATED: string = `${PROCESS_LIBRARY}${SAY}${UNIT_LIBRARY}${EXAMINE}
h_text=$1 h_run=$2 h_settle=$3 h_env=$4 h_as=$5 h_ports=$6 h_check=$7
shift 7
# One start of a unit at a time, also of two installations: between the look and the start nobody else changes it.
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
[ -z "$h_checked" ] || { printf '%s\\n' "$h_checked"; exit 0; }
for h_port in $h_ports; do h_check_port "$h_port"; done
h_was=$(h_seen_is UnitFileState) h_before=
[ ! -f "$h_file" ] || h_before=$(cat "$h_file"; echo .)
h_write() { printf '%s' "$1" > "$h_file.new" && chmod 644 "$h_file.new" && mv -f "$h_file.new" "$h_file"; }
# A unit that was not this service's is as it was before, and one that was not there is gone.
h_undo() {
  case $h_class in none | elsewhere) ;; *) return 0 ;; esac
  [ "$h_was" = enabled ] || systemctl disable -- "$h_unit" >/dev/null 2>&1
  if [ -n "$h_before" ]; then h_write "\${h_before%.}"; else rm -f "$h_file"; fi
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
# That something of the name is up proves nothing: its own environment must say that it is this run. A program that
# overwrites its environment says nothing: then systemd's word that this very text is what it started just now.
h_started() {
  h_found=$(h_carries run)
  [ "$h_found" != "$h_run" ] || return 0
  [ -z "$h_found" ] || h_not_started "run $h_found of $(h_carries release) runs instead of run $h_run: something sets HARNESS_RUN anew"
  case " $(h_seen_is Environment) " in *[\\ \\"]HARNESS_RUN=$h_run[\\ \\"]*) return 0 ;; esac
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
`;

/** As EXAMINE. A unit that is not this service's is left as it is; one that was edited by hand is refused. */
export const STOP_GENERATED: string = `${PROCESS_LIBRARY}${SAY}${UNIT_LIBRARY}${EXAMINE}
h_examine
if [ "$h_class" = edited ] && h_is_up; then h_occupied; fi
if ! h_is_ours; then h_verdict; exit 0; fi
if h_is_up; then h_error=$(systemctl stop -- "$h_unit" 2>&1) || h_fail "systemctl stop: $(h_one_line "$h_error")"; fi
systemctl disable -- "$h_unit" >/dev/null 2>&1
h_look; h_report
`;

/** As EXAMINE. Stops, disables and removes a unit of this service; any other is left as it is. */
export const REMOVE_GENERATED: string = `${PROCESS_LIBRARY}${SAY}${UNIT_LIBRARY}${EXAMINE}
h_examine
if [ "$h_class" = edited ] && h_is_up; then h_occupied; fi
if ! h_is_ours; then h_verdict; exit 0; fi
if h_is_up; then h_error=$(systemctl stop -- "$h_unit" 2>&1) || h_fail "systemctl stop: $(h_one_line "$h_error")"; fi
systemctl disable -- "$h_unit" >/dev/null 2>&1
rm -f "$h_file"
systemctl daemon-reload
systemctl reset-failed -- "$h_unit" 2>/dev/null
h_look; h_report
`;

/** As EXAMINE. */
export const OCCUPANT_GENERATED: string = `${PROCESS_LIBRARY}${SAY}${UNIT_LIBRARY}${EXAMINE}
h_examine
h_verdict
`;

/** As EXAMINE. */
export const RELOAD_GENERATED: string = `${PROCESS_LIBRARY}${SAY}${UNIT_LIBRARY}${EXAMINE}
h_examine
if ! h_is_ours && [ "$h_class" != none ]; then h_occupied; fi
[ "$(h_seen_is ActiveState)" = active ] || h_fail "it does not run"
h_here
if ! h_error=$(systemctl reload -- "$h_unit" 2>&1); then h_say failed "systemctl reload: $(h_one_line "$h_error")"; h_journal; exit 0; fi
h_look; h_report
`;

/** $1 unit. */
export const LOOK_UNIT: string = `${SAY}${UNIT_LIBRARY}
h_unit=$1
h_look
h_report
`;

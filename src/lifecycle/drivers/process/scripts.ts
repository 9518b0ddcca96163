/**
 * The scripts that start, stop, reload and look at a process: POSIX sh text around the library of lifecycle/drivers/process/shell.ts.
 *
 * Each prints one line `@harness WORD …`, then log lines.
 *
 * @module
 */
import { SERVICE_LOG_KEEP, SERVICE_LOG_MAX_BYTES } from "../../limits.ts";
import { LOG_READER, LOG_WRITER } from "./log.ts";
import { AS_SERVICE, OWN_DESCRIPTORS, OWN_SESSION } from "./run_as.ts";
import { PROCESS_LIBRARY } from "./shell.ts";

/** Functions for reporting and for looking before a start. */
export const SAY: string = `
# Always one line: names of processes and programs may hold line ends.
h_say() { printf '@harness %s\\n' "$(printf '%s' "$*" | tr '\\000-\\037\\177' '?')"; }
h_fail() { h_say failed "$@"; exit 0; }
h_exit_code() { # of run $1, when it has ended
  h_run=; h_code=
  [ -r "$h_base.exit" ] || return 1
  while IFS='=' read -r h_key h_value; do
    case $h_key in run) h_run=$h_value ;; code) h_code=$h_value ;; esac
  done < "$h_base.exit"
  [ "$h_run" = "$1" ]
}
h_check_user() {
  [ -n "$h_as" ] || return 0
  h_login || h_fail "the user $h_as does not exist on this machine"
  [ "$(id -u)" = 0 ] || [ "$(id -u "$h_as")" = "$(id -u)" ] || h_fail "only root can run it as $h_as, and this is $(id -un)"
}
# One text for each way in which a program cannot be executed, before the kernel says it in two words.
h_check_program() {
  h_program=$1
  case $h_program in
    */*) ;;
    *) h_program=$(PATH=\${h_path:-$PATH}; command -v "$1") || h_fail "the program $1 is not on the PATH (\${h_path:-$PATH})" ;;
  esac
  [ -e "$h_program" ] || h_fail "the program $h_program does not exist"
  [ ! -d "$h_program" ] || h_fail "the program $h_program is a directory"
  [ -f "$h_program" ] || h_fail "the program $h_program is no file"
  [ -x "$h_program" ] || h_fail "the program $h_program is not executable: chmod +x it"
  h_head=$(dd if="$h_program" bs=256 count=1 2>/dev/null | tr -d '\\0' | head -n 1)
  h_cr=$(printf '\\r')
  case $h_head in
    ?ELF*) return 0 ;;
    *"$h_cr") h_fail "the script $h_program has CRLF line ends: save it with LF" ;;
    '#!'*)
      h_head=\${h_head#??}; h_head=\${h_head#"\${h_head%%[! ]*}"}
      h_head=\${h_head%% *}
      case $h_head in /*) [ -x "$h_head" ] || h_fail "the interpreter $h_head of the script $h_program does not exist" ;; esac ;;
  esac
}
# Whether something listens on TCP port $1, and who.
h_check_port() {
  h_hex=$(printf '%04X' "$1")
  h_inode=$(grep -h -E "^ *[0-9]+: [0-9A-F]+:$h_hex [0-9A-F]+:[0-9A-F]+ 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    while read -r f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 f11; do echo "$f10"; break; done)
  [ -n "$h_inode" ] || return 0
  h_who="another process"
  for h_dir in /proc/[0-9]*; do
    case $(ls -l "$h_dir/fd" 2>/dev/null) in
      *"-> socket:[$h_inode]"*) IFS= read -r h_who < "$h_dir/comm"; h_who="$h_who (pid \${h_dir#/proc/})"; break ;;
    esac
  done
  h_fail "port $1 is already taken by $h_who"
}
`;

/** What a script that runs a program of the service, or looks at its log, needs beside the library. */
const SERVICE_PROGRAMS = `${LOG_WRITER}${LOG_READER}
# Runs "$@" (h_run_as has been made of it) with its output in the log; the run id is $h_id. Its pid is in h_child.
h_begin_logged() {
  h_max=${SERVICE_LOG_MAX_BYTES} h_keep=${SERVICE_LOG_KEEP}
  ( umask 077; mkdir -p "\${h_log%/*}" ) && h_make_pipe "$h_base.pipe.$$" && h_open_pipe "$h_base.pipe.$$" || return 1
  h_writer
  (
    umask 022
    exec </dev/null >&4 2>&4 3<&- 4>&-
    exec "$@" 7<<RUN 8<"\${h_env:-/dev/null}"
$h_id
RUN
  ) &
  h_child=$!
  exec 3<&- 4>&-
}
`;

/**
 * $1 run dir  $2 name  $3 log dir  $4 max log bytes  $5 logs kept  $6 mode  $7 work dir  $8 env file  $9 user
 * $10 tenths it must live  $11 tenths a daemon's script may take  $12 ports  $13 keeper, then the argv.
 */
export const START_SCRIPT: string = `${PROCESS_LIBRARY}${SAY}${SERVICE_PROGRAMS}
h_base=$1/$2 h_logs=$3 h_log=$3/$2.log h_max=$4 h_keep=$5 h_mode=$6 h_dir=$7 h_env=$8 h_as=$9
shift 9
h_settle=$1 h_limit=$2 h_ports=$3 h_keeper=$4
shift 4
umask 077
IFS= read -r h_new < /proc/sys/kernel/random/uuid || h_fail "this machine gives no random number"
h_error=$(mkdir -p "\${h_base%/*}" "$h_logs" 2>&1) || h_fail "its directories cannot be made: $h_error"
h_only_of "$h_as"
if h_load "$h_base.pid"; then
  h_asked=
  [ ! -r "$h_base.stop" ] || IFS= read -r h_asked < "$h_base.stop"
  if h_alive && [ "$h_asked" != "$p_run" ]; then
    # What runs is what the record says, and the record says of which release it is.
    [ -z "$p_dir" ] || [ "$p_dir" = "$h_dir" ] || h_fail "$p_dir runs in its place (pid $p_pid); stop that first"
    h_say running "$p_pid" "$p_run" "$h_dir"; exit 0
  fi
  # It is being stopped, maybe by a deployment that was cut off from here: soon it would not run any more.
  h_wait_at_most 100
  while h_alive && h_in_time; do h_nap; done
  # A keeper may still be clearing away what the last run left.
  h_t=0
  while h_wrapper_alive && [ $h_t -lt 50 ]; do h_nap; done
  h_clear
fi
h_login
h_check_user
[ -d "$h_dir" ] || h_fail "its working directory $h_dir does not exist"
[ -z "$h_env" ] || [ -r "$h_env" ] || h_fail "its env file $h_env cannot be read"
( cd "$h_dir" && h_check_program "$1" ) > "$h_base.start" 2>&1 || h_fail "its working directory $h_dir cannot be entered"
if [ -s "$h_base.start" ]; then cat "$h_base.start"; rm -f "$h_base.start"; exit 0; fi
rm -f "$h_base.start"
for h_port in $h_ports; do h_check_port "$h_port"; done
# Written only when it is another one: going back to an old release must need as little of a full disk as it can.
h_write_keeper() {
  printf '%s' "$h_keeper" | cmp -s - "$h_base.sh" ||
    { printf '%s' "$h_keeper" > "$h_base.sh.new" && mv -f "$h_base.sh.new" "$h_base.sh"; }
}
h_error=$( { h_write_keeper && : >> "$h_log" && h_make_pipe "$h_base.pipe"; } 2>&1) || h_fail "its files cannot be written: $h_error"
rm -f "$h_base.pid" "$h_base.exit" "$h_base.stop"
h_mark_log
# The keeper gets a session of its own as well, so that neither our death nor a lost connection reaches it. The
# environment begins empty: whatever our own process holds is no business of the service.
set -- /bin/sh "$h_base.sh" "$h_base" "$h_log" "$h_max" "$h_keep" "$h_mode" "$h_dir" "$h_env" "$h_as" "$@"
set -- "$(command -v env)" -i PATH="$h_given_path" HOME="\${HOME:-/}" USER="$(id -un)" LOGNAME="$(id -un)" SHELL=/bin/sh LANG="\${LANG:-C.UTF-8}" \${TZ:+TZ="$TZ"} "$@"
${OWN_SESSION}
${OWN_DESCRIPTORS}
# Not our child: whoever gives this script up kills it with its children.
( printf '%s\\n' "$h_new" | "$@" >/dev/null 2>&1 & )
h_t=0 h_seen=
h_wait_at_most "$h_limit"
while :; do
  h_nap
  if h_exit_code "$h_new"; then h_say exited "$h_code"; h_failure_log; exit 0; fi
  if [ -z "$h_seen" ] && h_load "$h_base.pid" && [ "$p_run" = "$h_new" ] && [ "$p_mode" = "$h_mode" ]; then
    h_seen=yes h_t=0
  fi
  if [ -n "$h_seen" ]; then
    # A pid that is gone without an exit record: the keeper is about to write it.
    if [ $h_t -ge "$h_settle" ] && h_alive; then h_load "$h_base.pid"; h_say running "$p_pid" "$p_run" "$h_dir"; exit 0; fi
    [ $h_t -lt $((h_settle + 100)) ] || break
  elif ! h_in_time; then
    break
  fi
done
if h_load "$h_base.pid"; then
  echo "$h_new" > "$h_base.stop"
  h_members | while read -r h_pid; do kill -KILL "$h_pid" 2>/dev/null; done
else
  # Its keeper could not write its pid down, on a full disk: nobody would find it, so it must not stay.
  for h_pid in $(h_marked "$h_new"); do kill -KILL "$h_pid" 2>/dev/null; done
fi
h_say timeout; h_failure_log
`;

/**
 * $1 run dir  $2 name  $3 log dir  $4 signal  $5 tenths of patience  $6 tenths for SIGKILL  $7 work dir  $8 env file
 * $9 user, then the stop program's argv, if any.
 */
export const STOP_SCRIPT: string = `${PROCESS_LIBRARY}${SAY}${SERVICE_PROGRAMS}
h_base=$1/$2 h_log=$3/$2.log h_how=$4 h_limit=$5 h_kill_limit=$6 h_dir=$7 h_env=$8 h_as=$9
shift 9
h_load "$h_base.pid" || { h_say stopped none no; exit 0; }
h_only_of "$h_as"
h_list=$(h_members)
if [ -z "$h_list" ]; then
  h_exit_code "$p_run" || h_code=unknown
  h_say stopped "$h_code" no; exit 0
fi
echo "$p_run" > "$h_base.stop"
h_t=0 h_killed=no h_script= h_group= h_fresh=
h_wait_at_most "$h_limit"
if h_alive; then h_fresh=fresh h_group=$p_group; fi
if [ $# -gt 0 ] && h_login; then
  h_id=$p_run
  ${AS_SERVICE}
  ${OWN_DESCRIPTORS}
  if h_begin_logged "$@"; then
    while h_stat $h_child && h_in_time; do h_nap; done
    if h_stat $h_child; then kill -KILL $h_child 2>/dev/null; h_script=timeout; else wait $h_child; h_script=$?; fi
    h_wait_log 50
  fi
fi
h_list=$(h_members $h_fresh)
if [ -n "$h_list" ]; then
  h_alive || h_group=
  h_send_all "$h_how" "$h_group" $h_list
  # A stopped (paused) process would not see the signal before it is continued.
  h_send_all CONT "$h_group" $h_list
  # What finding them took is not theirs.
  [ -n "$h_script" ] || h_wait_at_most "$h_limit"
fi
while h_in_time; do
  if ! h_any $h_list; then h_list=$(h_members $h_fresh); [ -n "$h_list" ] || break; fi
  h_nap
done
h_list=$(h_members $h_fresh)
h_t=0
while [ -n "$h_list" ] && [ $h_t -lt "$h_kill_limit" ]; do
  h_killed=yes
  h_send KILL $h_list
  h_nap
  h_list=$(h_members $h_fresh)
done
if [ -n "$h_list" ]; then h_say stuck $h_list; exit 0; fi
h_t=0
while h_wrapper_alive && [ $h_t -lt 30 ]; do h_nap; done
h_exit_code "$p_run" || h_code=unknown
h_say stopped "$h_code" "$h_killed" "$h_script"
`;

/** $1 run dir  $2 name  $3 log dir  $4 work dir  $5 env file  $6 user, then the reload program's argv, if any. */
export const RELOAD_SCRIPT: string = `${PROCESS_LIBRARY}${SAY}${SERVICE_PROGRAMS}
h_base=$1/$2 h_log=$3/$2.log h_dir=$4 h_env=$5 h_as=$6
shift 6
h_load "$h_base.pid" && h_alive || h_fail "it does not run"
h_only_of "$h_as"
h_mark_log
if [ $# -gt 0 ]; then
  h_check_user
  h_login
  # Not of the run: a reload program that stays behind is no part of the service.
  h_id=
  ${AS_SERVICE}
  ${OWN_DESCRIPTORS}
  h_begin_logged "$@" || h_fail "its log cannot be written"
  wait $h_child
  h_code=$?
  h_wait_log 50
  if [ $h_code != 0 ]; then h_say failed "its reload program exited with code $h_code"; h_failure_log; exit 0; fi
else
  # Bit 0 of the mask of caught signals: who does not catch SIGHUP would be ended by it.
  h_mask=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$p_pid/status")
  case $h_mask in
    *[13579bdf]) ;;
    *) h_fail "it has no reload program and does not catch SIGHUP, which would end it; restart it, or add scripts/reload.sh" ;;
  esac
  kill -HUP "$p_pid" || h_fail "it cannot be sent SIGHUP"
fi
h_t=0
while [ $h_t -lt 3 ]; do h_nap; done
if h_alive; then h_say running "$p_pid" "$p_run" "$h_dir"; exit 0; fi
h_nap
h_exit_code "$p_run" || h_code=unknown
h_say exited "$h_code"; h_failure_log
`;

/**
 * The function that prints one status line for $1 run dir and $2 name; see `parseProcessStatus`.
 *
 * A process that is gone while its keeper lives has ended this very moment: the keeper is about to write down how, or
 * which process of a daemon is the main one now. That is waited for, but no longer than two seconds for all services
 * of one command together.
 */
export const STATUS_FUNCTION: string = `${PROCESS_LIBRARY}
h_t=0
h_read_end() { # of the service with base path $1
  h_run= h_code=
  [ -r "$1.exit" ] || return 0
  while IFS='=' read -r h_key h_value; do
    case $h_key in run) h_run=$h_value ;; code) h_code=$h_value ;; esac
  done < "$1.exit"
}
h_status() {
  h_stopped=no h_asked=
  while :; do
    if ! h_load "$1/$2.pid"; then
      # A program that ended before its pid could be recorded left only its exit record.
      p_run=none
    elif h_alive; then
      # A run that an earlier version started says of which release it is in its environment alone.
      [ -n "$p_dir" ] || p_dir=$(h_variable "$p_pid" HARNESS_INSTALL_DIR)
      echo "running $p_pid \${p_run:--} $p_dir"; return
    fi
    h_read_end "$1/$2"
    if [ "$p_run" = none ] || [ "$h_run" = "$p_run" ]; then break; fi
    if [ $h_t -ge 20 ] || ! h_wrapper_alive; then break; fi
    h_nap
  done
  if [ -n "$h_run" ] && { [ "$h_run" = "$p_run" ] || [ "$p_run" = none ]; }; then
    [ ! -r "$1/$2.stop" ] || IFS= read -r h_asked < "$1/$2.stop"
    [ "$h_asked" != "$h_run" ] || h_stopped=yes
    echo "ended $h_code $h_stopped"
  elif [ "$p_run" = none ]; then echo none
  elif [ "$p_boot" != "$h_boot" ]; then echo "gone rebooted"
  else echo "gone unknown"
  fi
}
`;

/** $1 run dir  $2 name. */
export const STATUS_SCRIPT: string = `${STATUS_FUNCTION}
h_status "$1" "$2"
`;

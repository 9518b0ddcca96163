
IFS= read -r h_boot < /proc/sys/kernel/random/boot_id || h_boot=unknown
# Waits a tenth of a second, or a whole one where sleep takes no fractions; counts tenths in h_t.
h_nap() {
  if sleep 0.1 2>/dev/null; then h_t=$((h_t + 1)); else sleep 1; h_t=$((h_t + 10)); fi
}
# Begins a wait of $1 tenths of a second, which h_in_time ends. By the machine's clock: on a busy one naps take longer.
h_clock() { IFS='. ' read -r h_now h_hundredths h_rest < /proc/uptime; h_now=$((h_now * 10 + ${h_hundredths%?})); }
h_wait_at_most() { h_clock; h_until=$((h_now + $1 + 1)); }
h_in_time() { h_clock; [ "$h_now" -lt "$h_until" ]; }
# Reads /proc/$1/stat. The command name may hold spaces, brackets and line ends: everything up to the last ") ".
h_stat() {
  h_line=
  [ -r "/proc/$1/stat" ] || return 1
  while IFS= read -r h_part || [ -n "$h_part" ]; do h_line="$h_line $h_part"; done 2>/dev/null < "/proc/$1/stat" || return 1
  h_line=${h_line##*) }
  set -f; set -- $h_line; set +f
  [ $# -ge 20 ] || return 1
  st_state=$1 st_pgrp=$3 st_sid=$4 st_start=${20}
  case $st_state in Z | X | x) return 1 ;; esac
}
# Reads the pid file $1: the pid alone on the first line, then key=value.
h_load() {
  p_pid= p_start= p_boot= p_run= p_wrapper= p_wrapper_start= p_mode= p_sid= p_group=
  [ -r "$1" ] || return 1
  {
    IFS= read -r p_pid
    while IFS='=' read -r h_key h_value; do
      case $h_key in
        start) p_start=$h_value ;; boot) p_boot=$h_value ;; run) p_run=$h_value ;; mode) p_mode=$h_value ;;
        sid) p_sid=$h_value ;; group) p_group=$h_value ;;
        wrapper) p_wrapper=$h_value ;; wrapper_start) p_wrapper_start=$h_value ;;
      esac
    done
  } < "$1"
  case $p_pid in '' | *[!0-9]*) return 1 ;; esac
}
# Whether the recorded process itself lives: same pid, same start time, same boot. Else the pid is somebody else's.
h_alive() { [ "$p_boot" = "$h_boot" ] && h_stat "$p_pid" && [ "$st_start" = "$p_start" ]; }
h_wrapper_alive() {
  [ -n "$p_wrapper" ] && [ "$p_boot" = "$h_boot" ] && h_stat "$p_wrapper" && [ "$st_start" = "$p_wrapper_start" ]
}
# Pids that carry the marker of run $1 in their environment: also what left the session on purpose.
h_marked() {
  [ -n "$1" ] || return 0
  if printf 'a\0harness\n' | grep -q -F harness; then
    grep -l -F "HARNESS_RUN=$1" /proc/[0-9]*/environ 2>/dev/null | while IFS=/ read -r h_a h_b h_pid h_c; do
      h_stat "$h_pid" && echo "$h_pid"
    done
    return
  fi
  # This grep (BusyBox) sees a line only up to its first NUL.
  for h_dir in /proc/[0-9]*; do
    echo "@${h_dir#/proc/}"; cat "$h_dir/environ" 2>/dev/null; echo
  done | tr '\0' '\n' | grep -e '^@[0-9]' -e "^HARNESS_RUN=$1" | while IFS= read -r h_found; do
    case $h_found in
      @*) h_pid=${h_found#@} ;;
      *) h_stat "$h_pid" && echo "$h_pid" ;;
    esac
  done
}
# Pids in the recorded session or process group. Only safe while those numbers are known not to be reused ones.
h_session() {
  [ "${p_sid:-0}" -gt 1 ] && [ "${p_group:-0}" -gt 1 ] || return 0
  for h_dir in /proc/[0-9]*; do
    h_pid=${h_dir#/proc/}
    h_stat "$h_pid" && { [ "$st_sid" = "$p_sid" ] || [ "$st_pgrp" = "$p_group" ]; } && echo "$h_pid"
  done
}
# Everything of the recorded run. $1 = fresh: the main process lived a moment ago, so its session is still its own.
h_members() {
  if [ "${1:-}" = fresh ] || h_alive; then h_session; fi
  h_marked "$p_run"
}
h_send() {
  h_signal=$1; shift
  for h_pid in "$@"; do kill -"$h_signal" "$h_pid" 2>/dev/null; done
  return 0
}
# Signals the group first, so that a tree gets it at one moment, then whoever is elsewhere.
h_send_all() {
  h_signal=$1 h_group=$2; shift 2
  # 0 would be our own group and 1 everybody.
  [ "${h_group:-0}" -le 1 ] || kill -"$h_signal" -"$h_group" 2>/dev/null
  h_send "$h_signal" "$@"
}
# Whether one of the given pids still lives.
h_any() { for h_pid in "$@"; do h_stat "$h_pid" && return 0; done; return 1; }
# Ends leftovers: TERM, two seconds, KILL until nothing is left (at most five seconds).
h_clear() {
  h_list=$(h_members "${1:-}")
  [ -n "$h_list" ] || return 0
  h_send TERM $h_list
  h_t=0
  while h_any $h_list && [ $h_t -lt 20 ]; do h_nap; done
  h_t=0
  # The list counts, not how making it ended: that is "failed" where the last process found was gone a moment later.
  while h_list=$(h_members "${1:-}"); [ -n "$h_list" ] && [ $h_t -lt 50 ]; do h_send KILL $h_list; h_nap; done
}
# The environment a login as user $1 would begin with, before the env file speaks.
h_login_env() {
  [ -n "$1" ] && [ "$(id -u "$1")" != "$(id -u)" ] || return 0
  eval "HOME=~$1" USER=$1 LOGNAME=$1 SHELL=/bin/sh
  export HOME USER LOGNAME SHELL
}

h_base=$1 h_log=$2 h_max=$3 h_keep=$4 h_mode=$5 h_dir=$6 h_env=$7 h_as=$8 HARNESS_RUN=$9; shift 9
# A handler, not "ignore": ignored signals would be inherited by the program, handlers are not.
trap : HUP INT TERM
umask 022
h_rotate() {
  h_size=$(wc -c < "$h_log") || return 0
  [ "$h_size" -gt "$h_max" ] || return 0
  h_i=$h_keep
  while [ "$h_i" -gt 1 ]; do
    [ ! -f "$h_log.$((h_i - 1))" ] || mv -f "$h_log.$((h_i - 1))" "$h_log.$h_i"
    h_i=$((h_i - 1))
  done
  # Copy and cut: the program keeps its descriptor (opened for append), so it needs no signal to reopen.
  cp "$h_log" "$h_log.1" && : > "$h_log"
}
# The pid file is complete or not there: written beside it, then renamed.
h_record() {
  h_stat "$1" || return 1
  {
    echo "$1"
    echo "start=$st_start"; echo "boot=$h_boot"; echo "run=$HARNESS_RUN"; echo "mode=${2:-$h_mode}"
    # Without a tool to make a session the program shares ours: then only the marker tells what belongs to it.
    [ "$st_sid" = "$h_own_sid" ] || echo "sid=$st_sid"
    [ "$st_pgrp" = "$h_own_group" ] || echo "group=$st_pgrp"
    echo "wrapper=$$"; echo "wrapper_start=$h_own_start"; echo "log_from=$h_log_from"
  } > "$h_base.pid.new" && mv -f "$h_base.pid.new" "$h_base.pid"
}
h_ended() {
  { echo "run=$HARNESS_RUN"; echo "code=$1"; echo "at=$(date +%s)"; } > "$h_base.exit.new"
  mv -f "$h_base.exit.new" "$h_base.exit"
}
# Waits for child $1 whatever signals come; its status is in h_code.
h_wait() {
  while :; do
    wait "$1"; h_code=$?
    kill -0 "$1" 2>/dev/null || return 0
  done
}
h_stat $$
h_own_sid=$st_sid h_own_group=$st_pgrp h_own_start=$st_start
h_rotate
# Where the log of this run begins.
h_log_from=$(wc -c < "$h_log" | tr -d ' ')
h_starting=
[ "$h_mode" != daemon ] || h_starting=starting
rm -f "$h_base.main" "$h_base.pid"
(
  h_login_env "$h_as"
  cd "$h_dir" || exit 125
  exec 3> "$h_base.main"
  # The innermost shell says its own pid, which is the program's after exec whoever forked on the way.
  set -- /bin/sh -c 'echo $$ >&3; exec 3>&-; exec "$@"' sh "$@"
  
if [ -n "$h_as" ] && [ "$(id -u "$h_as")" != "$(id -u)" ]; then
  if setpriv --help 2>&1 | grep -q -e --reuid; then
    set -- "$(command -v setpriv)" --reuid="$h_as" --regid="$(id -g "$h_as")" --init-groups -- "$@"
  else
    set -- "$(command -v su)" -s /bin/sh -c 'exec "$0" "$@"' -- "$h_as" "$@"
  fi
fi

  
if command -v setsid >/dev/null 2>&1; then
  set -- "$(command -v setsid)" "$@"
elif busybox setsid true >/dev/null 2>&1; then
  set -- "$(command -v busybox)" setsid "$@"
elif command -v perl >/dev/null 2>&1; then
  set -- "$(command -v perl)" -e 'use POSIX; POSIX::setsid(); exec { $ARGV[0] } @ARGV; exit 127' "$@"
elif command -v python3 >/dev/null 2>&1; then
  set -- "$(command -v python3)" -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@"
fi

  [ -z "$h_env" ] || { set -a; . "$h_env"; set +a; }
  export HARNESS_RUN
  exec "$@"
) &
h_child=$!
# The log is the program's: what this shell itself would say of it ("Killed") is in the exit record.
exec >/dev/null 2>&1
h_t=0
while [ ! -s "$h_base.main" ] && kill -0 $h_child 2>/dev/null && [ $h_t -lt 100 ]; do sleep 0.02 2>/dev/null || sleep 1; h_t=$((h_t + 1)); done
h_main=
IFS= read -r h_main < "$h_base.main"
# Until a daemon's start script has come back, the script is what runs.
h_record "${h_main:-$h_child}" $h_starting
( trap - HUP INT TERM; while sleep 5; do h_rotate; done ) &
h_ticker=$!
h_wait $h_child
if [ "$h_mode" = daemon ] && [ "$h_code" = 0 ]; then
  # The start script came back: the service is whatever it left behind, its main process the oldest of that.
  h_oldest() {
    h_best= h_best_start=
    for h_pid in $(h_marked "$HARNESS_RUN"); do
      h_stat "$h_pid" || continue
      if [ -z "$h_best" ] || [ "$st_start" -lt "$h_best_start" ]; then h_best=$h_pid h_best_start=$st_start; fi
    done
    [ -n "$h_best" ] && h_record "$h_best"
  }
  # A program that is just being executed shows no environment: one look that finds nothing is not enough.
  while h_oldest || { h_nap; h_oldest; }; do
    h_load "$h_base.pid"
    while h_alive; do sleep 0.5 2>/dev/null || sleep 1; done
  done
  h_code=unknown
fi
h_ended "$h_code"
# While our own stop is under way it keeps its own, longer patience with what is left.
h_stopping=
[ ! -r "$h_base.stop" ] || IFS= read -r h_stopping < "$h_base.stop"
if [ "$h_stopping" != "$HARNESS_RUN" ]; then
  # A program so short that it was never recorded has nothing but the marker.
  h_load "$h_base.pid" || p_run=$HARNESS_RUN p_boot=none p_sid= p_group=
  if [ "$h_mode" = daemon ]; then h_clear; else h_clear fresh; fi
fi
if [ "$h_own_group" = $$ ]; then trap '' TERM; kill -TERM 0; else kill $h_ticker; fi
exit 0

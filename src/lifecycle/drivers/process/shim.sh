# The shim of one run: lives as long as the program, in another session than both the program and its starter.
# Starts the program in a session of its own, waits for it, writes its log, records how it ended and clears away what
# it leaves behind. The run id comes on stdin; the pipe for the output is there as "base path".pipe.
# $1 base path (run dir/name)  $2 log file  $3 max bytes  $4 files kept  $5 mode  $6 work dir  $7 env file or empty
# $8 user or empty, then the argv.
h_base=$1 h_log=$2 h_max=$3 h_keep=$4 h_mode=$5 h_dir=$6 h_env=$7 h_as=$8; shift 8
IFS= read -r h_id
# A handler, not "ignore": ignored signals would be inherited by the program, handlers are not.
trap : HUP INT TERM
umask 077
# The pid file is complete or not there: written beside it, then renamed.
h_record() {
  h_stat "$1" || return 1
  {
    echo "$1"
    echo "start=$st_start"; echo "boot=$h_boot"; echo "run=$h_id"; echo "mode=${2:-$h_mode}"
    # Without a tool to create a session the program shares ours: then its processes are found by the marker alone.
    [ "$st_sid" = "$h_own_sid" ] || echo "sid=$st_sid"
    [ "$st_pgrp" = "$h_own_group" ] || echo "group=$st_pgrp"
    echo "wrapper=$$"; echo "wrapper_start=$h_own_start"
    echo "dir=$h_dir"; echo "log=$h_log"; echo "log_from=$h_from"; echo "log_inode=$h_from_inode"
  } > "$h_base.pid.new" && mv -f "$h_base.pid.new" "$h_base.pid"
}
h_ended() {
  { echo "run=$h_id"; echo "code=$1"; echo "at=$(date +%s)"; } > "$h_base.exit.new"
  mv -f "$h_base.exit.new" "$h_base.exit"
}
# Waits for child $1 whatever signals come; its status is in h_code.
h_wait() {
  while :; do
    wait "$1"; h_code=$?
    kill -0 "$1" 2>/dev/null || return 0
  done
}
# Which process the program is: our child, or the child of a tool that forks before it becomes another user.
h_find_main() {
  h_main=$h_child h_t=0
  while [ "$h_t" -lt 100 ]; do
    h_stat "$h_child" || return 0
    if [ -z "$h_session" ] || [ "$st_sid" != "$h_own_sid" ]; then
      [ -n "$h_forks" ] || return 0
      IFS= read -r h_comm < "/proc/$h_child/comm" || h_comm=
      case $h_comm in
        su)
          for h_dir_of in /proc/[0-9]*; do
            if h_stat "${h_dir_of#/proc/}" && [ "$st_parent" = "$h_child" ]; then h_main=${h_dir_of#/proc/}; return 0; fi
          done ;;
        env | setsid) ;;
        *) return 0 ;;
      esac
    fi
    h_t=$((h_t + 1))
    sleep 0.02 2>/dev/null || sleep 1
  done
}
h_stat $$
h_own_sid=$st_sid h_own_group=$st_pgrp h_own_start=$st_start
# Of the environment that its starter made for it.
h_me=${USER:-$(id -un)}
h_login
h_only_of "$h_as"
h_open_pipe "$h_base.pipe"
h_mark_log
h_writer
h_starting=
[ "$h_mode" != daemon ] || h_starting=starting
[ ! -e "$h_base.pid" ] || rm -f "$h_base.pid"
#include as_service
#include own_session
(
  umask 022
  exec </dev/null >&4 2>&4 3<&- 4>&-
  exec "$@" 7<<RUN 8<"${h_env:-/dev/null}"
$h_id
RUN
) &
h_child=$!
# Only who writes to the log holds its pipe; we hold the other end, so that nobody who writes is ever alone.
exec 4>&- <&3 3<&-
h_note_times $$ </dev/null >/dev/null 2>&1 &
h_noter=$!
h_find_main
# Until a daemon's start script has come back, the script is what runs.
h_record "$h_main" $h_starting
h_wait $h_child
if [ "$h_mode" = daemon ] && [ "$h_code" = 0 ]; then
  # The start script came back: the service is whatever it left behind, its main process the oldest of that.
  h_oldest() {
    h_best= h_best_start=
    for h_pid in $(h_marked "$h_id"); do
      h_stat "$h_pid" || continue
      if [ -z "$h_best" ] || [ "$st_start" -lt "$h_best_start" ]; then h_best=$h_pid h_best_start=$st_start; fi
    done
    [ -n "$h_best" ] && h_record "$h_best"
  }
  # During execve a program shows no environment: one empty result is not enough, nor one that comes at once.
  h_soon=0
  while h_oldest || { h_nap; h_oldest; }; do
    h_load "$h_base.pid"
    while h_alive; do sleep 0.5 2>/dev/null || sleep 1; done
  done
  h_code=unknown
fi
# A program so short that it was never recorded has nothing but the marker.
h_load "$h_base.pid" || p_run=$h_id p_boot=none p_sid= p_group=
h_fresh=fresh
[ "$h_mode" != daemon ] || h_fresh=
h_greps || :
# The exit is reported with the last lines of the log: wait for them.
if [ -n "$(h_members $h_fresh)" ]; then h_wait_log 10; else h_wait_log 100; fi
h_ended "$h_code"
kill "$h_noter" 2>/dev/null
# While our own stop is under way it keeps its own, longer patience with what is left.
h_stopping=
[ ! -r "$h_base.stop" ] || IFS= read -r h_stopping < "$h_base.stop"
[ "$h_stopping" = "$h_id" ] || h_clear $h_fresh
exit 0

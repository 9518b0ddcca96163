# shellcheck disable=SC2086 # lists of pids are split on purpose
# shellcheck disable=SC2062 # the glob is a list of files
IFS= read -r h_boot < /proc/sys/kernel/random/boot_id || h_boot=unknown
# Waits a tenth of a second, or a whole one where sleep takes no fractions; counts tenths in h_t. The first $h_soon
# times it is a moment, which does not count: most of what is waited for takes no longer.
h_soon=5
h_nap() {
  if [ "$h_soon" -gt 0 ]; then
    h_soon=$((h_soon - 1))
    if sleep 0.02 2>/dev/null; then return; fi
  fi
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
  st_state=$1 st_parent=$2 st_pgrp=$3 st_sid=$4 st_start=${20}
  case $st_state in Z | X | x) return 1 ;; esac
}
# Reads the pid file $1: the pid alone on the first line, then key=value.
h_load() {
  p_pid= p_start= p_boot= p_run= p_wrapper= p_wrapper_start= p_mode= p_sid= p_group= p_dir= p_log= p_from= p_inode=
  [ -r "$1" ] || return 1
  {
    IFS= read -r p_pid
    while IFS='=' read -r h_key h_value; do
      case $h_key in
        start) p_start=$h_value ;; boot) p_boot=$h_value ;; run) p_run=$h_value ;; mode) p_mode=$h_value ;;
        sid) p_sid=$h_value ;; group) p_group=$h_value ;;
        wrapper) p_wrapper=$h_value ;; wrapper_start) p_wrapper_start=$h_value ;;
        dir) p_dir=$h_value ;; log) p_log=$h_value ;; log_from) p_from=$h_value ;; log_inode) p_inode=$h_value ;;
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
# Whether process $1 was started by the service's user, where the service has one: the marker in an environment is
# only words, which another user can write into his own. By the real uid, which a setuid program keeps.
h_mine() {
  [ -n "${h_only:-}" ] || return 0
  while read -r h_key h_value h_rest; do
    if [ "$h_key" = Uid: ]; then [ "$h_value" = "$h_only" ]; return; fi
  done 2>/dev/null < "/proc/$1/status"
  return 1
}
# Only root can meet processes of other users, and only what runs as another one has a user of its own.
h_only_of() { # user or empty
  h_only=
  [ -z "$1" ] || [ "$(id -u)" != 0 ] || h_only=$(id -u "$1" 2>/dev/null) || h_only=none
  [ "$h_only" != 0 ] || h_only=
}
# Whether grep reads a line beyond a NUL: that of BusyBox does not. Known from its first call on, which a script makes
# before it looks for processes in subshells.
h_greps() {
  if [ -z "${h_grep:-}" ]; then
    h_grep=no
    if printf 'a\0harness\n' | grep -q -F harness; then h_grep=yes; fi
  fi
  [ "$h_grep" = yes ]
}
# Pids with a variable $1 in their environment whose value begins with $2. The searched value
# is in no argument list: a process that read a run id there could set the marker itself.
h_with() {
  if h_greps; then
    printf '%s=%s\n' "$1" "$2" | grep -l -F -f - /proc/[0-9]*/environ 2>/dev/null | while IFS=/ read -r h_a h_b h_pid h_c; do
      echo "$h_pid"
    done
    return
  fi
  # Without such a grep (BusyBox reads a line up to its first NUL): the separator of two processes must be no text
  # that an environment can hold. So line ends in it become another character, and the separator is random.
  IFS= read -r h_word < /proc/sys/kernel/random/uuid
  for h_dir_of in /proc/[0-9]*; do
    printf '\0@%s %s\0' "$h_word" "${h_dir_of#/proc/}"; cat "$h_dir_of/environ" 2>/dev/null
  done | tr '\n\0' '\001\n' | grep -e '^@' -e "^$1=" | while IFS= read -r h_found; do
    case $h_found in
      "@$h_word "*) h_pid=${h_found##* } ;;
      "$1=$2"*) echo "$h_pid" ;;
    esac
  done
}
# Pids that carry the marker of run $1: also what left the session on purpose.
h_marked() {
  [ -n "$1" ] || return 0
  h_with HARNESS_RUN "$1" | while read -r h_pid; do h_stat "$h_pid" && h_mine "$h_pid" && echo "$h_pid"; done
}
# The value of variable $2 in the environment of process $1; line ends in it are another character.
h_variable() { tr '\n\0' '\001\n' 2>/dev/null < "/proc/$1/environ" | sed -n "s/^$2=//p" | head -n 1; }
# Pids in the recorded session or process group. Only safe while those numbers are known not to be reused ones.
h_session() {
  [ "${p_sid:-0}" -gt 1 ] && [ "${p_group:-0}" -gt 1 ] || return 0
  # Reading all of /proc here takes a hundred times as long. A name may look like what is searched: h_stat knows better.
  grep -l -s -E "\) [A-Za-z] [0-9]+ ($p_group [0-9]+|[0-9]+ $p_sid) " /proc/[0-9]*/stat 2>/dev/null |
    while IFS=/ read -r h_a h_b h_pid h_c; do
      h_stat "$h_pid" && { [ "$st_sid" = "$p_sid" ] || [ "$st_pgrp" = "$p_group" ]; } && h_mine "$h_pid" && echo "$h_pid"
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
# Signals the group first, so that a tree gets it at once, then the processes outside it.
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

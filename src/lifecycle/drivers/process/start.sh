# $1 run dir  $2 name  $3 log dir  $4 max log bytes  $5 logs kept  $6 mode  $7 work dir  $8 env file  $9 user
# $10 tenths it must live  $11 tenths a daemon's script may take  $12 ports  $13 shim, then the argv.
h_base=$1/$2 h_logs=$3 h_log=$3/$2.log h_max=$4 h_keep=$5 h_mode=$6 h_dir=$7 h_env=$8 h_as=$9
shift 9
h_settle=$1 h_limit=$2 h_ports=$3 h_shim=$4
shift 4
umask 077
IFS= read -r h_new < /proc/sys/kernel/random/uuid || h_fail "this machine gives no random number"
h_error=$(mkdir -p "${h_base%/*}" "$h_logs" 2>&1) || h_fail "its directories cannot be made: $h_error"
h_only_of "$h_as"
if h_load "$h_base.pid"; then
  h_asked=
  [ ! -r "$h_base.stop" ] || IFS= read -r h_asked < "$h_base.stop"
  if h_alive && [ "$h_asked" != "$p_run" ]; then
    # The recorded run is active, and the record has its release.
    [ -z "$p_dir" ] || [ "$p_dir" = "$h_dir" ] || h_fail "$p_dir runs in its place (pid $p_pid); stop that first"
    h_say running "$p_pid" "$p_run" "$h_dir"; exit 0
  fi
  # It is being stopped, maybe by a deployment that was cut off from here: soon it would not run any more.
  h_wait_at_most 100
  while h_alive && h_in_time; do h_nap; done
  # A shim may still be clearing away what the last run left.
  h_t=0
  while h_wrapper_alive && [ $h_t -lt 50 ]; do h_nap; done
  h_clear
fi
h_login
h_check_user
[ -d "$h_dir" ] || h_fail "its working directory $h_dir does not exist"
[ -z "$h_env" ] || [ -r "$h_env" ] || h_fail "its env file $h_env cannot be read"
h_checked=$( { cd "$h_dir" && h_check_program "$1"; } 2>&1) || h_fail "its working directory $h_dir cannot be entered"
if [ -n "$h_checked" ]; then printf '%s\n' "$h_checked"; exit 0; fi
for h_port in $h_ports; do h_check_port "$h_port"; done
# Written only when it is another one: going back to an old release must need as little of a full disk as it can.
h_write_shim() {
  { [ -f "$h_base.sh" ] && printf '%s' "$h_shim" | cmp -s - "$h_base.sh"; } ||
    { printf '%s' "$h_shim" > "$h_base.sh.new" && mv -f "$h_base.sh.new" "$h_base.sh"; }
}
h_error=$( { h_write_shim && : >> "$h_log" && h_make_pipe "$h_base.pipe"; } 2>&1) || h_fail "its files cannot be written: $h_error"
for h_file in "$h_base.pid" "$h_base.exit" "$h_base.stop"; do [ ! -e "$h_file" ] || rm -f "$h_file"; done
h_mark_log
# The shim gets a session of its own as well, so that neither our death nor a lost connection reaches it. The
# environment begins empty: whatever our own process holds is no business of the service.
set -- /bin/sh "$h_base.sh" "$h_base" "$h_log" "$h_max" "$h_keep" "$h_mode" "$h_dir" "$h_env" "$h_as" "$@"
set -- "$(command -v env)" -i PATH="$h_given_path" HOME="${HOME:-/}" USER="$h_me" LOGNAME="$h_me" SHELL=/bin/sh LANG="${LANG:-C.UTF-8}" ${TZ:+TZ="$TZ"} "$@"
#include own_session
#include own_descriptors
# Not our child: aborting this script kills it and its children.
( printf '%s\n' "$h_new" | "$@" >/dev/null 2>&1 & )
h_t=0 h_seen= h_soon=5
h_wait_at_most "$h_limit"
while :; do
  h_nap
  if h_exit_code "$h_new"; then h_say exited "$h_code"; h_failure_log; exit 0; fi
  if [ -z "$h_seen" ] && h_load "$h_base.pid" && [ "$p_run" = "$h_new" ] && [ "$p_mode" = "$h_mode" ]; then
    h_seen=yes h_t=0
  fi
  if [ -n "$h_seen" ]; then
    # A pid that is gone without an exit record: the shim is about to write it.
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
  # Its shim could not write its pid down, on a full disk: nobody would find it, so it must not stay.
  for h_pid in $(h_marked "$h_new"); do kill -KILL "$h_pid" 2>/dev/null; done
fi
h_say timeout; h_failure_log

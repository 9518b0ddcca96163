# $1 run dir  $2 name  $3 log dir  $4 signal  $5 tenths of patience  $6 tenths for SIGKILL  $7 work dir  $8 env file
# $9 user, then the stop program's argv, if any.
# shellcheck disable=SC2086 # lists of pids are split on purpose
h_base=$1/$2 h_log=$3/$2.log h_how=$4 h_limit=$5 h_kill_limit=$6 h_dir=$7 h_env=$8 h_as=$9
shift 9
h_load "$h_base.pid" || { h_say stopped none no; exit 0; }
h_only_of "$h_as"
h_greps || :
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
  #include as_service
  #include own_descriptors
  if h_begin_logged "$@"; then
    while h_stat $h_child && h_in_time; do h_nap; done
    if h_stat $h_child; then kill -KILL $h_child 2>/dev/null; h_script=timeout; else wait $h_child; h_script=$?; fi
    h_wait_log 50
  fi
  h_list=$(h_members $h_fresh)
fi
if [ -n "$h_list" ]; then
  h_alive || h_group=
  h_send_all "$h_how" "$h_group" $h_list
  # A stopped (paused) process would not see the signal before it is continued.
  h_send_all CONT "$h_group" $h_list
  # What finding them took is not theirs.
  [ -n "$h_script" ] || h_wait_at_most "$h_limit"
fi
while [ -n "$h_list" ] && h_in_time; do
  if h_any $h_list || { h_list=$(h_members $h_fresh); [ -n "$h_list" ]; }; then h_nap; fi
done
# During execve a program shows no environment, which is all that a daemon is known by: one look is not enough.
if [ -n "$h_list" ] || [ "$p_mode" = daemon ]; then h_list=$(h_members $h_fresh); fi
h_t=0
while [ -n "$h_list" ] && [ $h_t -lt "$h_kill_limit" ]; do
  h_killed=yes
  h_send KILL $h_list
  h_nap
  h_list=$(h_members $h_fresh)
done
if [ -n "$h_list" ]; then h_say stuck $h_list; exit 0; fi
h_t=0 h_soon=5
while h_wrapper_alive && [ $h_t -lt 30 ]; do h_nap; done
h_exit_code "$p_run" || h_code=unknown
h_say stopped "$h_code" "$h_killed" "$h_script"

# $1 run dir  $2 name  $3 log dir  $4 work dir  $5 env file  $6 user, then the reload program's argv, if any.
# shellcheck disable=SC2086 # lists of pids are split on purpose
# shellcheck disable=SC2015 # "a && b || c": c also when b fails, on purpose
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
  #include as_service
  #include own_descriptors
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

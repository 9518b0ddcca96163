# Runs programs of the service with their output in its log.
# Runs "$@" (h_run_as has been made of it) with its output in the log; the run id is $h_id. Its pid is in h_child.
h_begin_logged() {
  h_max=$h_log_max_bytes h_keep=$h_log_keep
  ( umask 077; mkdir -p "${h_log%/*}" ) && h_make_pipe "$h_base.pipe.$$" && h_open_pipe "$h_base.pipe.$$" || return 1
  h_writer
  (
    umask 022
    exec </dev/null >&4 2>&4 3<&- 4>&-
    exec "$@" 7<<RUN 8<"${h_env:-/dev/null}"
$h_id
RUN
  ) &
  h_child=$!
  exec 3<&- 4>&-
}

# h_status prints one status line for $1 run dir and $2 name.
# A process that is gone while its shim lives has ended this very moment: the shim is about to record how, or which
# process of a daemon is the main one now. That is waited for, at most two seconds for all services of one command.
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
      # A run started by an earlier version has its release in its environment only.
      [ -n "$p_dir" ] || p_dir=$(h_variable "$p_pid" HARNESS_INSTALL_DIR)
      echo "running $p_pid ${p_run:--} $p_dir"; return
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
# Reads lines INDEX<tab>RUN DIR<tab>NAME and prints INDEX and status.
h_status_process() {
  h_tab=$(printf '\t')
  while IFS=$h_tab read -r h_index h_first h_second; do printf '%s ' "$h_index"; h_status "$h_first" "$h_second"; done
}

# Kills what a hung probe left behind, also what left its session. $1 user. The run id comes on stdin.
# shellcheck disable=SC2086 # lists of pids are split on purpose
IFS= read -r h_id
h_only_of "$1"
p_pid=0 p_start=none p_boot=none p_run=$h_id
for h_round in 1 2 3 4 5; do
  h_list=$(h_marked "$h_id")
  [ -n "$h_list" ] || break
  h_send KILL $h_list
  h_nap
done

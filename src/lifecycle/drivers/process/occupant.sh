# $1 run dir  $2 name  $3 run directories of all its releases, or empty  $4 user or empty.
# shellcheck disable=SC2015 # "a && b || c": c also when b fails, on purpose
h_name=$2
h_tell() { h_say occupant "$p_pid" "${p_run:--}" "$1"; exit 0; }
h_dir_of_run() { if [ -n "$p_dir" ]; then echo "$p_dir"; else h_variable "$p_pid" HARNESS_INSTALL_DIR; fi; }
if h_load "$1/$h_name.pid" && h_alive; then h_tell "$(h_dir_of_run)"; fi
if [ -n "$3" ]; then
  for h_file in "$3"/*/"$h_name.pid"; do
    if h_load "$h_file" && h_alive; then h_tell "$(h_dir_of_run)"; fi
  done
fi
if [ -z "$3" ]; then h_say nobody; exit 0; fi
# Pids of which one may be a shell with $1 in its command line.
h_maybe_shims() {
  if h_greps; then grep -l -s -F -e "$1/" /proc/[0-9]*/cmdline
  else grep -l -s -x -F sh /proc/[0-9]*/comm; fi 2>/dev/null | while IFS=/ read -r h_a h_b h_pid h_c; do echo "$h_pid"; done
}
h_greps || :
# Its records may be lost. Then its shim still has the bookkeeping directory and release it belongs to, whatever
# user its service runs as. By the real uid: the owner of a directory of /proc may differ.
h_own=$(id -u)
h_only=$h_own h_runs=$3
for h_found in $(h_maybe_shims "$h_runs"); do
  # Our own command line has it too.
  [ "$h_found" != $$ ] || continue
  h_dir_of=/proc/$h_found
  { IFS= read -r h_comm < "$h_dir_of/comm"; } 2>/dev/null && [ "$h_comm" = sh ] && h_mine "$h_found" || continue
  h_words=$(tr '\n\0' '\001\n' 2>/dev/null < "$h_dir_of/cmdline" | sed -n '2p; 8p')
  case $h_words in "$h_runs"/*/"$h_name.sh$h_nl"/*) ;; *) continue ;; esac
  # It leads a session; who only writes its log does not.
  h_stat "$h_found" && [ "$st_sid" = "$h_found" ] || continue
  p_pid=$h_found p_run=
  for h_child in /proc/[0-9]*; do
    h_stat "${h_child#/proc/}" && [ "$st_parent" = "$h_found" ] || continue
    p_run=$(h_variable "${h_child#/proc/}" HARNESS_RUN)
    if [ -n "$p_run" ]; then p_pid=${h_child#/proc/}; break; fi
  done
  h_tell "${h_words#*"$h_nl"}"
done
# So do the service's processes, but only those of our own user or the service's user count: any other user
# could block deployments.
h_only_of "$4"
h_only=${h_only:-$h_own}
# As a name is made part of a path: what is no letter, digit or "-" may be "_" here.
h_as_path() { printf '%s' "$1" | tr -c 'A-Za-z0-9_-' _; }
# By the directory first, which no other install root has: a machine may run the same service below many.
for h_found in $(h_with HARNESS_DATA_DIR "${3%/run}/shared"); do
  h_stat "$h_found" && h_mine "$h_found" || continue
  [ "$(h_variable "$h_found" HARNESS_DATA_DIR)" = "${3%/run}/shared" ] || continue
  [ "$(h_as_path "$(h_variable "$h_found" HARNESS_SERVICE)")" = "$h_name" ] || continue
  h_its=$(h_variable "$h_found" HARNESS_INSTALL_DIR)
  # Only we make directories there.
  case $h_its in */../* | */..) continue ;; "${3%/.harness/*}/$h_name-"*) [ -d "$h_its" ] || continue ;; *) continue ;; esac
  p_pid=$h_found p_run=$(h_variable "$h_found" HARNESS_RUN)
  h_tell "$h_its"
done
h_say nobody

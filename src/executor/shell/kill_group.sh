# Kills the process group of $k_pid ($k_own is 1) or that process alone, and everything below it; ends when nothing of it
# is left, or after a few seconds. $k_gone is 1 when the process itself has exited.
#
# Below it, since sudo (with use_pty, the default of many distributions) runs its command in a session of its own; what
# belongs to root then is killed through sudo. Without /proc it is the group alone.
if [ "$k_gone" = 1 ]; then
  # A number is not reused while it names a group: a process that has it now is not ours.
  if [ "$k_own" != 1 ] || [ -d "/proc/$k_pid" ]; then exit 0; fi
fi
k_target=$k_pid
[ "$k_own" != 1 ] || k_target=-$k_pid
k=' '
more=1
while [ "$more" ]; do
  more=
  for f in /proc/[0-9]*/stat; do
    # Fields: pid, name, state, parent, group. A zombie is dead already.
    read -r p n s u g r <"$f" || continue
    case $k in *" $p "*) continue ;; esac
    case $k in
      *" $u "*) ;;
      *)
        [ "$k_own" = 1 ] || g=$p
        [ "$g" = "$k_pid" ] || continue
        ;;
    esac
    [ "$s" = Z ] || { k="$k$p "; more=1; }
  done 2>/dev/null
done
# This form of kill works in dash, bash and BusyBox.
# shellcheck disable=SC2086
kill -KILL "$k_target" $k 2>/dev/null
left() {
  for p in $k; do
    # shellcheck disable=SC2034
    read -r p n s r <"/proc/$p/stat" && [ "$s" != Z ] && return 0
  done 2>/dev/null
  return 1
}
for i in 1 2 3 4 5; do
  left || exit 0
  sleep 0.1 2>/dev/null || sleep 1
  # Through sh: kill(1) of procps takes "-123" for a signal.
  # shellcheck disable=SC2086
  [ "$i" -lt 2 ] || sudo -n sh -c 'kill -KILL "$@"' sh "$k_target" $k >/dev/null 2>&1
done

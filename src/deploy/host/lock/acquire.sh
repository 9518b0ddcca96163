# $1 seconds to live  $2 deployment  $3 since  $4 owner  $5 watchdog, then what facts.sh takes.
# Staging is emptied before anything is put there: whatever is in it belongs to a deployment that is gone.
if [ ! -d "$base/output" ] || [ ! -d "$root/.harness/cache" ]; then
  d_error=$({ mkdir -p "$base" "$root/.harness/cache" && umask 077 && mkdir -p "$base/output"; } 2>&1) || d_refuse unwritable "$d_error"
  # Another process may have made them first, in a directory that everybody can write.
  d_boundary
fi
d_probe="$base/.tmp.probe.$token.$$"
if ! { echo probe > "$d_probe"; } 2>/dev/null || [ ! -s "$d_probe" ]; then
  # By cat, which reports why it cannot write; the echo of shells only reports an I/O error.
  d_error=$( { echo probe | cat > "$d_probe"; } 2>&1) || { rm -f "$d_probe"; d_refuse unwritable "$d_error"; }
fi
rm -f "$d_probe"
d_enter
if d_load; then
  if d_stale; then
    printf '@stale %s %s\n' "$l_deployment" "$l_owner"
  else
    d_leave
    printf '@held %s|%s|%s|%s\n' "$l_deployment" "$d_left" "$l_since" "$l_owner"
    exit 0
  fi
fi
d_put "$1" "$2" "$3" "$4" || { rm -f "$base/.tmp.lock.$token.$$"; d_leave; d_refuse unwritable "the lock cannot be written"; }
d_leave
d_own=
if command -v setsid >/dev/null 2>&1; then d_own=setsid
elif busybox setsid true >/dev/null 2>&1; then d_own='busybox setsid'
elif command -v nohup >/dev/null 2>&1; then d_own='nohup'
fi
(
  cd /
  # shellcheck disable=SC2086 # two words, or none
  set -- $d_own sh -c "$5" harness-guardian "$root" "$base" "$token" "$1"
  #include own_descriptors
  exec "$@"
) </dev/null >/dev/null 2>&1 &
shift 5
[ ! -e "$base/staging" ] || rm -rf "$base/staging" 2>/dev/null || :
( umask 077; mkdir -p "$stage" )
d_sweep

# $1 seconds the lock lives.
d_ttl=$1
set +e
trap '' HUP PIPE
while :; do
  sleep 1
  d_load && [ "$l_token" = "$token" ] || exit 0
  d_stale || continue
  d_enter
  if d_load && [ "$l_token" = "$token" ] && d_stale; then
    token="guardian-$token"
    if d_put "$d_ttl" "$l_deployment" "$l_since" "guardian of $l_owner"; then d_leave; break; fi
    # A full disk: free space and retry.
    token=${token#guardian-}
    rm -rf "$base/staging"
  fi
  d_leave
  trap '' HUP PIPE
done
trap '' HUP PIPE
# Recovery may take longer than the lock lives.
( while sleep 2; do
    d_load && [ "$l_token" = "$token" ] || exit 0
    d_renew
  done ) &
d_renewer=$!
# The upload is not needed any more, and on a full disk its space is.
rm -rf "$base/staging"
d_recover
kill "$d_renewer" 2>/dev/null
wait "$d_renewer" 2>/dev/null
rm -rf "$base/staging"
d_sweep
d_enter
if d_load && [ "$l_token" = "$token" ]; then rm -f "$base/lock"; fi
d_leave
exit 0

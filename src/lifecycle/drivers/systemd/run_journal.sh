# What the unit wrote since its last start, all of it where that is not known.
timeout 5 journalctl --sync >/dev/null 2>&1
h_run=$(systemctl show -p InvocationID -- "$h_id" | cut -d= -f2-)
# systemd forgets a unit that is down and not enabled; the journal has its last start.
[ -n "$h_run" ] || h_run=$(journalctl -q --no-pager -n 50 -o export _PID=1 UNIT="$h_id" 2>/dev/null | sed -n 's/^INVOCATION_ID=//p' | tail -n 1)
[ -z "$h_run" ] || set -- _SYSTEMD_INVOCATION_ID="$h_run" + _PID=1 INVOCATION_ID="$h_run"
exec journalctl -n "$h_n" -o cat --no-pager "$@"

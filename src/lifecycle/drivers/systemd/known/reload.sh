h_look_known
if [ -n "$h_claim" ] && ! h_has_claim; then h_taken foreign "this service did not start it"; fi
[ "$(h_seen_is ActiveState)" = active ] || h_fail "it does not run"
h_here
if ! h_error=$(systemctl reload -- "$h_unit" 2>&1); then h_say failed "systemctl reload: $(h_one_line "$h_error")"; h_journal; exit 0; fi
h_look_known; h_report

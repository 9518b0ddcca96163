h_look_known
if [ "$(h_seen_is LoadState)" = not-found ] && ! h_is_up; then h_report; exit 0; fi
if [ -n "$h_claim" ] && ! h_has_claim; then
  h_report; h_say class foreign; h_say why "this service did not start it"; exit 0
fi
h_error=$(systemctl stop -- "$h_unit" 2>&1) || h_fail "systemctl stop: $(h_one_line "$h_error")"
h_write_claim "" ""
h_look_known; h_report

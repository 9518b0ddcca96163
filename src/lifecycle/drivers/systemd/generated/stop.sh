h_examine
if [ "$h_class" = edited ] && h_is_up; then h_occupied; fi
if ! h_is_ours; then h_verdict; exit 0; fi
if h_is_up; then h_error=$(systemctl stop -- "$h_unit" 2>&1) || h_fail "systemctl stop: $(h_one_line "$h_error")"; fi
systemctl disable -- "$h_unit" >/dev/null 2>&1
h_look; h_report

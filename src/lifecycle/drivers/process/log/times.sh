# Notes how long the log is, while $1 lives: `seconds inode bytes` in $h_log.times, where it has grown. What comes after
# a mark was written after its time. Old marks are thinned out, so that the file stays small.
h_note_times() {
  h_sleeper= h_noted= h_marks=0
  trap '[ -z "$h_sleeper" ] || kill -KILL "$h_sleeper" 2>/dev/null; exit 0' TERM
  while kill -0 "$1" 2>/dev/null; do
    h_mark_log
    h_now=${h_from_inode:+$h_from_inode $h_from}
    if [ -n "$h_now" ] && [ "$h_now" != "$h_noted" ] && echo "$(date +%s) $h_now" >> "$h_log.times"; then
      h_noted=$h_now h_marks=$((h_marks + 1))
      if [ $((h_marks % 1000)) = 1 ] && [ "$(wc -l < "$h_log.times")" -gt "$h_max_marks" ]; then
        awk -v half=$((h_max_marks / 2)) 'NR > half || NR % 8 == 0' "$h_log.times" > "$h_log.times.new" &&
          mv -f "$h_log.times.new" "$h_log.times"
      fi
    fi
    sleep "$h_mark_seconds" & h_sleeper=$!
    wait "$h_sleeper"
  done
}

# Watches what it is given on stdin and prints the number of whatever has changed, again and again until a new list comes,
# and a "." after each list and now and then as a sign of life. Ends with its stdin, so nothing stays when a connection
# ends. h_tick: the seconds of a turn; empty where this shell's read has no limit.
# A list is an empty line, lines NUMBER<tab>KIND<tab>VALUE, and a line "end" with the number of their bytes without line ends.
exec 2>/dev/null
LC_ALL=C
h_nl='
'
h_tab=$(printf '\t')
IFS=$h_nl
set -f
h_pids='' h_marks='' h_new_pids='' h_new_marks='' h_size=0 h_turns=0
# Sets h_now to what kind $1 shows at $2.
h_look() {
  h_now=
  case $1 in
    # A pid file, and whether its process is there.
    pid_file) if [ -f "$2" ] && IFS= read -r h_now <"$2" && [ -e "/proc/$h_now" ]; then h_now="$h_now there"; fi ;;
    link) if [ -L "$2" ]; then h_now=there; fi ;;
  esac
}
h_add() {
  h_size=$((h_size + ${#1}))
  h_number=${1%%"$h_tab"*} h_value=${1#*"$h_tab"}
  h_kind=${h_value%%"$h_tab"*} h_value=${h_value#*"$h_tab"}
  if [ "$h_kind" = pid ]; then h_new_pids=$h_new_pids$h_number:$h_value$h_nl; return; fi
  h_look "$h_kind" "$h_value"
  h_new_marks=$h_new_marks$h_number$h_tab$h_now$h_tab$h_kind$h_tab$h_value$h_nl
}
# Takes the new list; "$1" is its last line. One that was cut off on its way is no list.
h_take() {
  [ "$1" = "end $h_size" ] || return 1
  # What has changed since the last turn is no longer known with the new list.
  h_turn
  h_pids=$h_new_pids h_marks=$h_new_marks h_new_pids='' h_new_marks='' h_size=0 h_turns=0
  echo .
}
h_turn() {
  h_said=
  for h_entry in $h_pids; do [ -e "/proc/${h_entry#*:}" ] || h_said=$h_said${h_entry%%:*}$h_nl; done
  for h_entry in $h_marks; do
    h_number=${h_entry%%"$h_tab"*} h_entry=${h_entry#*"$h_tab"}
    h_before=${h_entry%%"$h_tab"*} h_entry=${h_entry#*"$h_tab"}
    h_look "${h_entry%%"$h_tab"*}" "${h_entry#*"$h_tab"}"
    [ "$h_now" = "$h_before" ] || h_said=$h_said$h_number$h_nl
  done
  h_turns=$((h_turns + 1))
  if [ $((h_turns % h_beat)) = 0 ]; then h_said=$h_said.$h_nl; fi
  # In one piece: see who reads it.
  if [ -n "$h_said" ]; then printf %s "$h_said"; fi
}
h_clock() { IFS='. ' read -r h_seconds h_hundredths h_rest </proc/uptime; h_at=$((h_seconds * 100 + 1$h_hundredths - 100)); }
# What comes next in h_line: a line, or "turn" when it is time; fails at the end of stdin. Lines within a list are waited for.
h_next() {
  if [ -z "$h_tick" ] || [ "$h_size" -gt 0 ]; then IFS= read -r h_line; return; fi
  h_clock
  h_begun=$h_at
  # BusyBox forgets the part of a line that came before the limit, so the line that is read here is an empty one. bash
  # loses even that where it comes just at the limit; then it is the first line of a list, which was on its way.
  # shellcheck disable=SC3045 # only in a shell that knows it
  if IFS= read -r -t "$h_tick" h_line; then [ -n "$h_line" ] || IFS= read -r h_line; return; fi
  h_line=turn
  h_clock
  # Shells differ in how they tell the end from the limit: the end comes at once.
  [ $((h_at - h_begun)) -ge 10 ]
}
h_watch() {
  while h_next; do
    case $h_line in
      '') ;;
      turn) h_turn ;;
      end*) h_take "$h_line" || return 1 ;;
      stop) return ;;
      *) h_add "$h_line" ;;
    esac
  done
}
# Lines of stdin with a turn in between each second.
h_lines() {
  while sleep 1; do echo turn; done &
  while IFS= read -r h_line; do printf '%s\n' "$h_line"; done
  kill $!
  echo stop
}
if [ -n "$h_tick" ]; then h_beat=20 h_watch; else h_lines | { h_beat=5 h_watch || kill $$; }; fi

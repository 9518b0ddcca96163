h_show() { systemctl show -p "$h_properties" -- "$h_unit"; }
h_property() { systemctl show -p "$1" -- "$h_unit" | cut -d= -f2-; }
h_seen_is() { printf '%s\n' "$h_seen" | sed -n "s/^$1=//p"; }
h_carries() { printf '%s\n' "$h_marks" | sed -n "s/^@harness $1 //p" | head -n 1; }
# Reads the unit: its properties to h_seen, the marks of its main process to h_marks.
h_look() { h_seen=$(h_show); h_marks=$(h_carried "$(h_seen_is MainPID)"); }
h_report() { h_say unit; printf '%s\n%s\n' "$h_seen" "$h_marks"; }
# An answer of systemctl in one line.
h_one_line() { printf '%s' "$1" | tr '\n\r' '  '; }
h_is_up() { case $(h_seen_is ActiveState) in active | reloading | refreshing | activating | deactivating | maintenance) ;; *) return 1 ;; esac; }
# The place in the journal from which on it is this start's.
h_here() {
  h_from=$(journalctl -q --no-pager -n 1 -o export 2>/dev/null | sed -n 's/^__CURSOR=//p')
  if [ -n "$h_from" ]; then h_from=--after-cursor=$h_from; else h_from=--since=@$(date +%s); fi
}
h_messages() { journalctl -q --no-pager -n "$h_failure_lines" -o cat "$h_from" "$@" 2>/dev/null | tail -c "$h_failure_bytes"; }
# Read after journald has flushed; the unit's exit status may be known from there alone.
h_journal() {
  timeout 5 journalctl --sync >/dev/null 2>&1
  h_id=$(h_seen_is Id)
  # A sync does not wait for what a program that is gone left in its pipe to journald.
  h_t=0
  while [ -z "$(h_messages _SYSTEMD_UNIT="$h_id")" ] && [ $h_t -lt 10 ]; do h_nap; done
  h_messages _PID=1 UNIT="$h_id" | sed 's/^/!/'
  h_messages _SYSTEMD_UNIT="$h_id" + _PID=1 UNIT="$h_id" | sed 's/^/|/'
}
# Up, and not started anew since. Before version 235 systemd does not count its restarts: then both are empty.
h_stays_up() {
  case $(h_seen_is ActiveState) in active | reloading | refreshing) [ "$(h_seen_is NRestarts)" = "$h_restarts" ] ;; *) return 1 ;; esac
}
h_not_started() {
  h_report; h_say error "$(h_one_line "$1")"; h_journal
  systemctl stop -- "$h_unit" >/dev/null 2>&1
  h_undo
  exit 0
}
# Starts the unit and watches it for the first moments. A unit that restarts at once has not started.
h_start_unit() {
  h_here
  h_restarts=$(h_property NRestarts)
  if ! h_error=$(systemctl start -- "$h_unit" 2>&1); then h_look; h_not_started "$h_error"; fi
  h_t=0
  # Polled all the time: once systemd restarts it, its exit status is no longer among its properties.
  while h_seen=$(h_show) && h_stays_up; do
    if [ $h_t -ge "$h_settle" ]; then h_look; h_started; h_report; exit 0; fi
    h_nap
  done
  while [ "$(h_seen_is ActiveState)" = deactivating ] && [ $h_t -lt 50 ]; do h_nap; h_seen=$(h_show); done
  h_marks=
  h_not_started "it did not stay up"
}

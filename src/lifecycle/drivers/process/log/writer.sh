# shellcheck disable=SC2094 # both ends of one pipe are opened
h_bytes() { if [ -s "$1" ]; then echo $(($(wc -c < "$1"))); else echo 0; fi; }
h_rotate() {
  h_gone=$((h_gone + $(h_bytes "$h_log.$h_keep")))
  h_i=$h_keep
  while [ "$h_i" -gt 1 ]; do
    [ ! -f "$h_log.$((h_i - 1))" ] || mv -f "$h_log.$((h_i - 1))" "$h_log.$h_i"
    h_i=$((h_i - 1))
  done
  mv -f "$h_log" "$h_log.1" &&
    { [ "$h_gone" = 0 ] || echo "[harness: $h_gone bytes of older output were removed to keep the log small]" >> "$h_log"; }
}
# Writes stdin to the log until its end. No file grows beyond $h_max, however fast it comes: dd takes so many blocks
# as there is room for, writes each as it was read, and leaves what it has not read to the next one.
h_write_log() {
  h_gone=0
  h_block=$((h_max / 16))
  [ "$h_block" -le 65536 ] || h_block=65536
  while :; do
    h_to=$h_log
    h_room=$((h_max - $(h_bytes "$h_log")))
    if [ "$h_room" -lt $((h_max / 8)) ]; then
      h_rotate 2>/dev/null
      h_room=$((h_max - $(h_bytes "$h_log")))
    fi
    h_count=$((h_room / h_block))
    # What cannot be put away must not grow, and the service must not wait for it.
    [ "$h_count" -ge 1 ] || h_to=/dev/null h_count=1
    h_said=$( { LC_ALL=C dd bs="$h_block" count="$h_count" >> "$h_to"; } 2>&1)
    # Killed: what it has not read is still there.
    [ $? -le 128 ] || { sleep 0.1 2>/dev/null || sleep 1; continue; }
    case $h_said in
      "0+0 records in"*) return 0 ;;
      *"records in"*) continue ;;
    esac
    # The file cannot be opened.
    h_said=$( { LC_ALL=C dd bs="$h_block" count=1 > /dev/null; } 2>&1)
    case $h_said in
      "0+0 records in"*) return 0 ;;
      *"records in"*) ;;
      *) sleep 1 ;;
    esac
  done
}
# Copies descriptor 3 to the log in the background, restarts a killed writer, and sets its pid in h_writer. SIGPIPE is
# ignored because dd warns on stderr of a short read: when the shell that reads stderr was killed, dd must not die
# before it has written what it read.
h_writer() {
  ( trap '' HUP INT TERM PIPE; exec >/dev/null 2>&1 3<&- 4>&-
    until ( h_write_log ); do sleep 0.1 2>/dev/null || sleep 1; done ) <&3 &
  h_writer=$!
}
# A pipe for the log: descriptor 4 is what to write to, 3 what to read from. The user of the service may open his
# own end of it again, as /dev/stdout does. $1 its name, in a directory of ours, until it is open.
h_make_pipe() { { [ ! -e "$1" ] && [ ! -L "$1" ] || rm -f "$1"; } && mkfifo -m 600 "$1" && { [ -z "$h_drop" ] || chown "$h_as" "$1"; }; }
h_open_pipe() { exec 5<>"$1"; exec 3<"$1" 4>"$1" 5>&-; rm -f "$1"; }
# Waits until all that was written is in the log: at most $1 fiftieths of a second, for somebody may hold the pipe.
h_wait_log() {
  h_i=0
  while [ "$h_i" -lt "$1" ] && h_stat "$h_writer"; do sleep 0.02 2>/dev/null || { sleep 1; h_i=$((h_i + 50)); }; h_i=$((h_i + 1)); done
}

h_inode() { h_i=$(ls -di -- "$1" 2>/dev/null) || h_i=; h_i=${h_i#"${h_i%%[! ]*}"}; echo "${h_i%% *}"; }
# The log since it had inode $1 and $2 bytes: the last $3 lines of that.
h_log_since() {
  h_whole= h_i=9
  [ -z "$1" ] || for h_i in 9 8 7 6 5 4 3 2 1 0; do
    h_file=$h_log.$h_i; [ "$h_i" != 0 ] || h_file=$h_log
    [ "$(h_inode "$h_file")" != "$1" ] || break
    [ "$h_i" != 0 ] || h_whole=yes
  done
  # Its beginning was rotated away, or is not known: then all there is.
  [ -z "$h_whole$([ -n "$1" ] || echo none)" ] || h_i=9
  h_first=$h_i
  while :; do
    h_file=$h_log.$h_i; [ "$h_i" != 0 ] || h_file=$h_log
    # Whole files: a line may begin in one and end in the next.
    if [ ! -f "$h_file" ]; then :
    elif [ "$h_i" = "$h_first" ] && [ -n "$1" ] && [ -z "$h_whole" ]; then tail -c +$(($2 + 1)) "$h_file"
    else cat "$h_file"
    fi
    [ "$h_i" != 0 ] || break
    h_i=$((h_i - 1))
  done 2>/dev/null | tail -c "$h_tail_bytes" | tail -n "$3"
}
h_failure_log() { h_log_since "$h_from_inode" "$h_from" "$h_failure_lines" | tail -c "$h_failure_bytes"; }
# Remembers where the log ends now.
# shellcheck disable=SC2012,SC2046 # of the words that ls prints the first and the sixth are read: inode and bytes
h_mark_log() {
  h_from_inode= h_from=0
  set -f; set -- $(ls -lin -- "$h_log" 2>/dev/null); set +f
  [ $# -lt 6 ] || h_from_inode=$1 h_from=$6
}

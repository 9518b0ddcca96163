# Refuses an archive that could write outside its directory, holds what no package may hold, or unpacks to too much.
# $d_file the archive  $d_most bytes it may unpack to  $d_idle bytes of zeros that may follow its end  $d_entries entries
# $d_path_bytes length of a path  $d_header_bytes length of an extended header. Nothing is extracted yet.
d_bad() { d_refuse archive "$1${2:+: $(printf '%s' "$2" | head -c 200 | tr '\n' ' ')}"; }
d_size=$(wc -c < "$d_file")
case $(tar --version 2>/dev/null) in *'GNU tar'* | *bsdtar*) d_pax_sizes=1 ;; *) d_pax_sizes=0 ;; esac
[ "$d_size" -gt 0 ] || d_bad "it is empty"
# Without its last byte a gzip file is truncated: if gzip does not notice, there is data after its end, which GNU gzip
# only warns of and BusyBox does not see.
d_walk=$(
  { head -c "$((d_size - 1))" "$d_file" | gzip -dc 2>/dev/null && : > "$stage/more"; } |
    tr '\000\001\n' '\001\002\002' | fold -b -w 512 |
    awk -v most="$d_most" -v idle="$d_idle" -v entries="$d_entries" -v path_bytes="$d_path_bytes" \
      -v header_bytes="$d_header_bytes" -v pax_sizes="$d_pax_sizes" '
#include archive_walk
' 2>&1
) || :
case $d_walk in
  =*) ;;
  !*) d_bad "$(printf '%s' "${d_walk#!}" | head -c 300)" ;;
  *) d_bad "its headers cannot be read" "$d_walk" ;;
esac
[ ! -f "$stage/more" ] || d_bad "data after the end of the gzip file"
d_long="$stage/long"
tar -tvzf "$d_file" > "$d_long" 2> "$stage/errors" || d_bad "it is damaged" "$(tail -n 2 "$stage/errors")"
# Prints `=` and the number of lines, or `!` and the first line of the first kind that there is.
d_odd=$(awk '
  !/^[-dl]/ { hit(1, "an entry that is no file, directory or symbolic link") }
  /^...[sS]|^......[sS]|^.........[tT]/ { hit(2, "a setuid, setgid or sticky entry") }
  /^[-d].* (link to|->) / { hit(3, "a hard link") }
  /^l.* -> \// { hit(4, "a link to an absolute path") }
  function hit(kind, what) { if (!(kind in odd)) odd[kind] = what ": " substr($0, 1, 200) }
  END {
    for (kind = 1; kind <= 4; kind++) if (kind in odd) { print "!" odd[kind]; exit }
    print "=" NR
  }' "$d_long")
case $d_odd in
  "=${d_walk#=}") ;;
  !*) d_bad "${d_odd#!}" ;;
  *) d_bad "tar sees other entries in it than there are" ;;
esac

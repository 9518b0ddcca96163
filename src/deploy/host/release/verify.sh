# $1 sha256  $2 `cached` or `uploaded`  $3 bytes of the package  $4… the bounds of archive/check.sh.
d_held
d_kept="$root/.harness/cache/$1"
d_most=$4 d_idle=$5 d_entries=$6 d_path_bytes=$7 d_header_bytes=$8
if [ "$2" = cached ]; then d_file=$d_kept; else d_file="$stage/package"; fi
if [ -s "$stage/digest" ]; then
  d_digest=$(cat "$stage/digest")
else
  d_choose_hash "$3"
  d_digest=$($d_hash < "$d_file")
fi
[ "${d_digest%% *}" = "$1" ] || d_refuse digest "it arrived as sha256 ${d_digest%% *} instead of $1"
#include archive_check
[ "$d_file" = "$d_kept" ] || mv -f "$d_file" "$d_kept"

# $1 sha256  $2 `cached` or `uploaded`  $3… the bounds of archive_check.sh.
d_held
d_kept="$root/.harness/cache/$1"
d_most=$3 d_idle=$4 d_entries=$5 d_path_bytes=$6 d_header_bytes=$7
if [ "$2" = cached ]; then d_file=$d_kept; else d_file="$stage/package"; fi
d_digest=$(sha256sum < "$d_file")
[ "${d_digest%% *}" = "$1" ] || d_refuse digest "it arrived as sha256 ${d_digest%% *} instead of $1"
#include archive_check
[ "$d_file" = "$d_kept" ] || mv -f "$d_file" "$d_kept"

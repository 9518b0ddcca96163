# $1 release directory  $2 sha256  $3 bytes of the record on stdin, which has the release as being installed  $4 bytes of
# the package.
# shellcheck disable=SC2164 # set -e
d_held
d_dir=$1 d_file="$root/.harness/cache/$2" d_tree="$stage/tree"
d_replace "$base/state.json" "$3"
d_unpack_bad() { d_refuse extract "$(head -c 300 "$stage/errors" | tr '\n' ' ')"; }
if [ -d "$d_tree" ]; then
  [ ! -e "$stage/failed" ] || d_unpack_bad
else
  mkdir "$d_tree"
  tar -xzof "$d_file" -C "$d_tree" 2> "$stage/errors" || d_unpack_bad
fi
cd "$d_tree"
d_bad() { d_refuse archive "$1: $2"; }
find . ! -type d \( ! -type f -o -links +1 -o -perm -4000 -o -perm -2000 \) > ../links
if [ -s ../links ]; then
  d_hit=$(find . ! -type f ! -type d ! -type l | head -n 1); [ -z "$d_hit" ] || d_bad "an entry that is no file, directory or symbolic link" "$d_hit"
  d_hit=$(find . -type f -links +1 | head -n 1); [ -z "$d_hit" ] || d_bad "a hard link" "$d_hit"
  d_hit=$(find . -type f \( -perm -4000 -o -perm -2000 \) | head -n 1); [ -z "$d_hit" ] || d_bad "a setuid or setgid entry" "$d_hit"
fi
# After these refusals only symbolic links are left in ../links.
d_real=$(pwd -P)
while IFS= read -r d_link; do
  d_target=$(readlink "$d_link")
  d_end=$(cd "$(dirname -- "$d_link")" 2>/dev/null && cd "$(dirname -- "$d_target")" 2>/dev/null && pwd -P) || d_end=
  [ ! -d "$d_link" ] || d_end=$(cd "$d_link" && pwd -P)
  case $d_end/ in "$d_real"/*) ;; *) d_bad "a link that leads out" "$d_link -> $d_target" ;; esac
done < ../links
# What is on the disk by the end of the comparison need not be waited for after it.
# sshd waits for whoever holds stdout, and of what is redirected for a function alone the shell keeps a copy: so it is
# closed in a shell of its own.
if [ "$4" -ge 16777216 ]; then ( exec > /dev/null 2>&1; d_sync ) & fi
[ -f SHA256SUMS ] || d_refuse sums "there is no SHA256SUMS in it"
d_choose_hash "$4"
# The names and digests in one comparison, or else what sha256sum says of each.
# shellcheck disable=SC2086 # words
d_same_sums() {
  [ "$d_hash" != sha256sum ] &&
    cut -c 67- SHA256SUMS | sed 's|^|./|' | tr '\n' '\000' | xargs -0 $d_hash | sed 's|^\(.\{64\}\) \*\./|\1  |' | cmp -s - SHA256SUMS
}
d_same_sums 2>/dev/null || d_error=$(sha256sum -c SHA256SUMS 2>&1) || d_refuse sums "$(printf '%s\n' "$d_error" | grep -v -e ': OK$' | head -n 3 | tr '\n' ' ')"
d_files=$(find . -type f ! -path ./SHA256SUMS | awk 'NR == FNR { if (!seen[$0]++) sums++; next } { files++ } END { print files + 0, sums + 0 }' SHA256SUMS -)
[ "${d_files% *}" -eq "${d_files#* }" ] ||
  d_refuse sums "SHA256SUMS does not list every file"
# Readable for the user of the service, writable for us alone.
chmod -R u+rwX,go+rX,go-w .
cd /
d_place() {
  if [ -e "$d_dir" ]; then mv "$d_dir" "$stage/replaced" || return 1; fi
  mv "$d_tree" "$d_dir"
}
d_while_held d_place
d_sync
[ ! -e "$stage/replaced" ] || rm -rf "$stage/replaced"

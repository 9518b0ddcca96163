# $1 release directory  $2 file in envs/  $3 file in envs/ that it continues, or empty  $4 bytes on stdin  $5 another
# file in envs/, or empty. Prints both, for the secrets in them, and then what there is in the release.
d_held
[ -d "$1" ] || d_refuse missing "the release is no longer there: $1"
{ [ -d "$base/shared" ] && [ -d "$base/log" ]; } || mkdir -p "$base/shared" "$base/log"
umask 077
{ [ -d "$base/envs" ] && [ -d "$base/output" ] && [ -d "$base/run" ]; } || mkdir -p "$base/envs" "$base/output" "$base/run"
# An earlier version made them readable for everybody.
chmod 700 "$base/output" "$base/run"
d_receive "$stage/env.sent" "$4"
if [ -n "$3" ]; then
  cat "$base/envs/$3" "$stage/env.sent" > "$stage/env.new"
  mv -f "$stage/env.new" "$base/envs/$2"
  rm -f "$stage/env.sent"
else
  mv -f "$stage/env.sent" "$base/envs/$2"
fi
cat "$base/envs/$2"
if [ -n "$5" ] && [ "$5" != "$2" ] && [ -e "$base/envs/$5" ]; then echo; cat "$base/envs/$5"; fi
printf '\n@files\n'
for d_part in scripts/stop.sh scripts/reload.sh image.tar; do
  [ ! -f "$1/$d_part" ] || echo "@has $d_part"
done

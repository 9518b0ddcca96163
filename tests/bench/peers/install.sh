#!/bin/sh
# What a deployment by hand does on the host: digest, extract, checksums, sync, switch by rename, restart, health.
# $1 install root  $2 the package in it  $3 its sha256
set -eu
cd "$1"
new=release-${2%.tar.gz}
[ "$(sha256sum < "$2" | cut -d ' ' -f 1)" = "$3" ]
rm -rf "$new.new"
mkdir "$new.new"
tar -xzf "$2" -C "$new.new"
(cd "$new.new" && sha256sum -c --quiet SHA256SUMS)
mv -T "$new.new" "$new"
sync -f .
ln -s "$new" current.new
mv -T current.new current
if [ -f pid ]; then
  old=$(cat pid)
  kill "$old" 2>/dev/null || :
  while kill -0 "$old" 2>/dev/null; do sleep 0.02; done
fi
export HARNESS_INSTALL_DIR="$1/current"
setsid ./current/scripts/start.sh < /dev/null > log 2>&1 &
echo $! > pid
tries=0
until ./current/scripts/health.sh; do
  sleep 0.05
  tries=$((tries + 1))
  [ "$tries" -lt 200 ]
done

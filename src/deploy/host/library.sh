# $1 install root  $2 bookkeeping directory  $3 our lock token; the rest are the script's own.
set -eu
umask 022
LC_ALL=C; export LC_ALL
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
root=$1 base=$2 token=$3; shift 3
# Temp files of this deployment alone: what an older one still does in its own cannot touch them.
stage="$base/staging/$token"
d_refuse() { d_code=$1; shift; printf '@refused %s %s\n' "$d_code" "$*"; exit 3; }
d_nap() { sleep 0.1 2>/dev/null || sleep 1; }
d_now() { if [ -r /proc/uptime ]; then IFS=. read -r d_time d_rest < /proc/uptime; else d_time=$(date +%s); fi; }
d_boot=unknown
[ ! -r /proc/sys/kernel/random/boot_id ] || IFS= read -r d_boot < /proc/sys/kernel/random/boot_id
d_load() {
  l_token= l_boot= l_expires= l_ttl= l_deployment= l_since= l_owner=
  IFS='|' 2>/dev/null read -r l_token l_boot l_expires l_ttl l_deployment l_since l_owner < "$base/lock" || return 1
  l_expires=${l_expires##* } l_ttl=${l_ttl##* }
}
# Whether the loaded lock is stale: of another boot, expired, or with an expiry that no renewal can have set.
d_stale() {
  [ "$l_boot" = "$d_boot" ] || return 0
  case $l_expires:$l_ttl in *[!0-9:]* | :* | *:) return 0 ;; esac
  d_now
  d_left=$((l_expires - d_time))
  [ "$d_left" -le 0 ] || [ "$d_left" -gt "$l_ttl" ]
}
d_record() { # seconds to live, deployment, since, owner: the length depends on nothing that a renewal changes
  d_now
  printf '%s|%s|%12s|%6s|%s|%s|%s\n' "$token" "$d_boot" "$((d_time + $1))" "$1" "$2" "$3" "$4"
}
d_put() { d_record "$@" > "$base/.tmp.lock.$token.$$" && mv -f "$base/.tmp.lock.$token.$$" "$base/lock"; }
# In place: needs no space, so that a full disk cannot lose the lock.
d_renew() { d_record "$l_ttl" "$l_deployment" "$l_since" "$l_owner" 1<> "$base/lock"; }
d_enter() {
  trap '' HUP PIPE
  d_try=0
  # A link that names the holder: made in one step, and in no space.
  while ! ln -s "$$:$d_boot" "$base/lock.mutex" 2>/dev/null; do
    # If it cannot be made, there is nothing to wait for.
    [ -w "$base" ] || d_refuse unwritable "$base cannot be written"
    d_holder=$(readlink "$base/lock.mutex" 2>/dev/null) || d_holder=
    d_pid=${d_holder%%:*}
    # It is held for milliseconds: a holder that is gone, or that held it for 20 seconds, was killed.
    if [ -n "$d_pid" ] && { [ "${d_holder#*:}" != "$d_boot" ] || [ "$d_try" -ge 200 ] ||
      { [ ! -d "/proc/$d_pid" ] && ! kill -0 "$d_pid" 2>/dev/null; }; }; then
      if mv "$base/lock.mutex" "$base/.tmp.dead.$$" 2>/dev/null; then
        d_moved=$(readlink "$base/.tmp.dead.$$") || d_moved=
        # Another process had replaced it: give it back.
        [ "$d_moved" = "$d_holder" ] || ln -s "$d_moved" "$base/lock.mutex" 2>/dev/null || :
        rm -f "$base/.tmp.dead.$$"
      fi
    else
      d_nap
    fi
    d_try=$((d_try + 1))
    [ "$d_try" -lt 400 ] || d_refuse busy "another deployment holds $base/lock.mutex"
  done
}
d_leave() { rm -f "$base/lock.mutex"; trap - HUP PIPE; }
# Every script that changes something begins with this: a deployment that lost its lock must not continue.
d_lost() { d_refuse lost "the lock is no longer ours: it was not renewed in time, and the host has put itself back"; }
# shellcheck disable=SC2015 # d_lost never returns
d_held() { d_load && [ "$l_token" = "$token" ] || d_lost; }
# Runs a command while the lock is known to be ours: the watchdog takes it over under the same mutex.
d_while_held() {
  d_enter
  if d_load && [ "$l_token" = "$token" ]; then
    d_ended=0
    "$@" || d_ended=$?
    d_leave
    return $d_ended
  fi
  d_leave
  d_lost
}
# Writes $2 bytes from stdin to file $1. A sender that dies leaves half a text: it must not be used.
d_receive() {
  cat > "$1"
  [ "$(wc -c < "$1")" -eq "$2" ] || d_refuse cut "only a part of it arrived"
}
# Before its rename: a power cut must not leave an empty file under the new name.
d_sync_file() { sync "$@" 2>/dev/null || sync; }
# Replaces a file by the $2 bytes on stdin, in one rename.
d_replace() { d_receive "$stage/new" "$2" && d_sync_file "$stage/new" && d_while_held mv -f "$stage/new" "$1"; }
d_link() { # new target of the link "current"
  [ ! -L "$stage/current" ] || rm -f "$stage/current"
  ln -s "$1" "$stage/current"
  # mv without -T (old BusyBox) would move into the directory that the link points to.
  mv -fT "$stage/current" "$base/current" 2>/dev/null || { rm -f "$stage/current"; ln -sfn "$1" "$base/current"; }
}
d_env() { # file in envs/ that becomes the visible env: the same inode, so it is never half a file
  # GNU's mv refuses to put one name of a file in place of another.
  # shellcheck disable=SC3013 # dash, bash, ksh and BusyBox ash have it
  if [ "$base/envs/$1" -ef "$base/env" ]; then return 0; fi
  [ ! -e "$stage/env" ] || rm -f "$stage/env"
  ln "$base/envs/$1" "$stage/env" && mv -f "$stage/env" "$base/env"
}
# Writes everything of the install root's file system to the disk.
d_sync() { sync -f "$base" 2>/dev/null || sync; }
# Undoes a switch that was not committed, by the script written for this.
d_recover() {
  [ -f "$base/recover.sh" ] || return 0
  if grep -q '^  "pending": {' "$base/state.json" 2>/dev/null; then
    ( umask 077; mkdir -p "$base/output" )
    sh "$base/recover.sh" </dev/null >> "$base/output/recovery.log" 2>&1 || return 1
  fi
  rm -f "$base/recover.sh"
}
# Removes temp files of killed scripts; those of running ones stay.
d_sweep() {
  for d_file in "$base"/.tmp.*; do
    [ -d "/proc/${d_file##*.}" ] || rm -f "$d_file"
  done
}

# Prints what parseFacts() reads. $1 release directory  $2 sha256  $3 user  $4 commands  $5 libraries, a line each  $6 type.
# shellcheck disable=SC2012 # the inode is all that is read of it
d_say() { printf '%s=%s\n' "$1" "$2"; }
d_whether() { # name, then the command that decides
  d_name=$1
  shift
  if "$@" >/dev/null 2>&1; then d_say "$d_name" yes; else d_say "$d_name" no; fi
}
d_there() { [ -e "$1" ] || [ -L "$1" ]; }
echo @facts
d_uname=$(uname -n -m)
d_say arch "${d_uname##* }"
: "${d_me:=$(id -u)}"
d_say uid "$d_me"
d_say login "$(id -un 2>/dev/null || id -u)"
# Identifies machine and directory under whatever name: no two machines share a boot.
d_say place "$d_boot ${d_uname% *} $(stat -c %d:%i "$base" 2>/dev/null || ls -di "$base" 2>/dev/null | sed 's/^ *//; s/ .*//')"
# The lines of root and base: "DEVICE BLOCKS USED FREE CAPACITY% MOUNT".
d_disks=$(df -Pk "$root" "$base" 2>/dev/null) || :
{ read -r d_head; IFS= read -r d_first; IFS= read -r d_second; } <<DISKS || :
$d_disks


DISKS
d_free=
case $d_second in *'% '*)
  d_free=${d_second%'% '*}
  d_free=${d_free% *}
  d_free=${d_free%"${d_free##*[! ]}"}
  d_free=${d_free##* } ;;
esac
case $d_free in *[!0-9]*) d_free= ;; esac
d_say free_kb "$d_free"
d_mount() { case $1 in *'% '*) echo "${1##*'% '}" ;; esac; }
d_same=yes
[ "$(d_mount "$d_first")" = "$(d_mount "$d_second")" ] || d_same=no
d_say same_fs "$d_same"
d_whether recover [ -f "$base/recover.sh" ]
d_current=
[ ! -L "$base/current" ] || d_current=$(readlink "$base/current") || d_current=
d_say current "$d_current"
d_whether dir d_there "$1"
d_short=${2%"${2#????????}"}
d_whether forced_dir [ -e "${1:+$1~$d_short}" ]
d_digest=
if [ -n "$2" ] && [ -f "$root/.harness/cache/$2" ]; then
  d_digest=$(sha256sum < "$root/.harness/cache/$2" 2>/dev/null) || d_digest=
fi
d_say cached "${d_digest%% *}"
d_systemd() { [ -d /run/systemd/system ] && [ "$d_me" = 0 ] && command -v systemctl; }
d_whether systemd d_systemd
d_user() { [ -z "$1" ] || id "$1"; }
d_whether user d_user "$3"
d_writable() { [ -w "$root" ] && [ -w "$base" ]; }
d_whether writable d_writable
[ -z "$4" ] || printf '%s\n' "$4" | while IFS= read -r d_item; do
  command -v "$d_item" >/dev/null 2>&1 || d_say missing_command "$d_item"
done
for d_item in tar gzip sha256sum awk fold; do
  command -v "$d_item" >/dev/null 2>&1 || d_say missing_command "$d_item"
done
[ -z "$5" ] || printf '%s\n' "$5" | while IFS= read -r d_item; do
  # The second check is for hosts without ldconfig (musl).
  ldconfig -p 2>/dev/null | grep -q -F "	$d_item " ||
    [ -n "$(find /lib /lib64 /usr/lib /usr/lib64 /usr/local/lib -maxdepth 2 -name "$d_item" 2>/dev/null | head -n 1)" ] ||
    d_say missing_library "$d_item"
done
d_docker() { # also understood by the docker of podman
  # Well within the life of the lock. The timeout of old BusyBox takes its time as an option.
  if timeout 8 true >/dev/null 2>&1; then timeout 8 docker ps -q -n 1
  elif timeout -t 8 true >/dev/null 2>&1; then timeout -t 8 docker ps -q -n 1
  else docker ps -q -n 1; fi
}
d_engine=
case $6 in
  systemd_*) [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1 || d_engine="systemd does not run there" ;;
  docker_*)
    if ! command -v docker >/dev/null 2>&1; then d_engine="it does not have docker; install it"
    else
      # To a file: a child of docker could keep a pipe open. To /dev/null if no file can be made.
      d_file="$base/.tmp.docker.$token.$$" d_code=0
      ( : > "$d_file" ) 2>/dev/null || d_file=/dev/null
      d_docker 2>"$d_file" >/dev/null </dev/null || d_code=$?
      case $d_code in
        0) ;;
        # Exit codes of the timeouts: BusyBox exits with the signal.
        124 | 137 | 143) d_engine="Docker did not respond within 8 s" ;;
        *) d_error=$(tail -n 1 "$d_file"); d_engine="its docker does not answer: ${d_error:-it ended with code $d_code}" ;;
      esac
      [ "$d_file" = /dev/null ] || rm -f "$d_file"
    fi ;;
esac
d_say engine "$d_engine"
d_whether state d_there "$base/state.json"
echo @state
cat "$base/state.json" 2>/dev/null || :

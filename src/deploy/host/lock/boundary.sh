# Refuses what another user can change: `@refused owner FOUND|PATH|OWNER|MODE|DEPLOYED`, before anything is written.
# shellcheck disable=SC2046,SC2086 # the words that ls prints are split on purpose
# Whether "$@" after $1 belong to root and, where $1 is alone, can be changed by root alone and are no links: in one look,
# since nearly always it is so. Where it is not, or one has a name with a line end, they are looked at one by one.
d_of_root() {
  d_how=$1
  shift
  d_list=$(ls -ldn -- "$@" 2>/dev/null) || return 1
  d_left=$#
  while read -r d_mode d_links d_uid d_gid d_rest; do
    d_left=$((d_left - 1))
    [ "$d_uid" = 0 ] || return 1
    [ "$d_how" = alone ] || continue
    case $d_mode in
      d????????[tT]*) ;;
      l* | ????????w*) return 1 ;;
      ?????w*) [ "$d_gid" = 0 ] || return 1 ;;
    esac
  done <<LIST
$d_list
LIST
  [ "$d_left" = 0 ]
}
# Whether that is so of each part of path $1, and of $2; what does not exist yet is made by us.
d_sound() {
  d_left=${1#/} d_at='' d_other=$2
  set -- /
  while [ -n "$d_left" ]; do
    d_at=$d_at/${d_left%%/*}
    [ -e "$d_at" ] || [ -L "$d_at" ] || break
    set -- "$@" "$d_at"
    case $d_left in */*) d_left=${d_left#*/} ;; *) d_left= ;; esac
  done
  if [ -e "$d_other" ] || [ -L "$d_other" ]; then set -- "$@" "$d_other"; fi
  d_of_root alone "$@"
}
# Prints PATH|OWNER|MODE of the first part of path $1 that another user than root can change. $2 counts links.
d_weak() (
  set -f
  d_at= d_left=${1#/} d_links=${2:-0}
  while :; do
    d_look=${d_at:-/}
    # What does not exist yet is made by us.
    d_line=$(ls -ldn "$d_look" 2>/dev/null) || exit 0
    set -- $d_line
    d_mode=$1 d_uid=$3 d_gid=$4
    d_weak=
    [ "$d_uid" = 0 ] || d_weak=yes
    case $d_mode in
      l*)
        d_target=$(readlink "$d_look")
        case $d_target in /*) ;; *) d_target=${d_look%/*}/$d_target ;; esac
        if [ -z "$d_weak" ]; then
          [ "$d_links" -lt 16 ] || { printf '%s|%s|%s\n' "$d_look" root "$d_mode"; exit 0; }
          d_weak "$d_target/$d_left" $((d_links + 1))
          exit 0
        fi ;;
      # In a directory with the sticky bit, other users cannot move what belongs to root.
      d????????[tT]*) ;;
      ?????w*) [ "$d_gid" = 0 ] || d_weak=yes ;;
    esac
    case $d_mode in l* | d????????[tT]*) ;; ????????w*) d_weak=yes ;; esac
    if [ -n "$d_weak" ]; then
      set -- $(ls -ld "$d_look")
      printf '%s|%s|%s\n' "$d_look" "$3" "$d_mode"
      exit 0
    fi
    while :; do case $d_left in /*) d_left=${d_left#/} ;; *) break ;; esac; done
    [ -n "$d_left" ] || exit 0
    d_at=$d_at/${d_left%%/*}
    case $d_left in */*) d_left=${d_left#*/} ;; *) d_left= ;; esac
  done
)
# The content of our own directory; shared and log belong to the service.
d_strange() (
  set --
  for d_item in "$base"/* "$base"/envs/* "$base"/run/*; do
    case $d_item in "$base/shared" | "$base/log" | *'/*') ;; *) set -- "$@" "$d_item" ;; esac
  done
  if [ $# = 0 ] || d_of_root somehow "$@"; then exit 0; fi
  for d_item in "$base"/* "$base"/envs/* "$base"/run/*; do
    case $d_item in "$base/shared" | "$base/log" | *'/*') continue ;; esac
    set -f
    set -- $(ls -ldn "$d_item" 2>/dev/null)
    set +f
    [ "${3:-0}" != 0 ] || continue
    set -f
    set -- $(ls -ld "$d_item")
    printf '%s|%s|%s\n' "$d_item" "$3" "$1"
    exit 0
  done
)
d_whose() { [ ! -d "$base" ] || { set -f; set -- $(ls -ld "$base/."); set +f; echo "$3"; }; }
d_boundary() {
  d_deployed=no
  [ ! -e "$base/state.json" ] || d_deployed=yes
  if [ "$d_me" != 0 ]; then
    # It belongs to another user: clearer than the error of the kernel.
    [ ! -d "$base" ] || [ -w "$base" ] || d_refuse owner "bookkeeping|$base|$(d_whose)||$d_deployed"
    return 0
  fi
  if ! d_sound "$base" "$root/.harness/cache"; then
    d_found=$(d_weak "$base")
    if [ -z "$d_found" ]; then d_found=$(d_weak "$root/.harness/cache"); fi
    if [ -n "$d_found" ] && [ -d "$base" ] && [ "$(d_whose)" != root ]; then
      d_refuse owner "bookkeeping|$base|$(d_whose)|$d_found|$d_deployed"
    fi
    [ -z "$d_found" ] || d_refuse owner "path|$d_found|$d_deployed"
  fi
  d_found=$(d_strange)
  [ -z "$d_found" ] || d_refuse owner "content|$d_found|$d_deployed"
}
d_me=$(id -u)
d_boundary

# Refuses what another user can change: `@refused owner FOUND|PATH|OWNER|MODE|DEPLOYED`, before anything is written.
# shellcheck disable=SC2046,SC2086 # the words that ls prints are split on purpose
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
d_boundary() {
  d_deployed=no
  [ ! -e "$base/state.json" ] || d_deployed=yes
  d_owner=root
  [ ! -d "$base" ] || d_owner=$(set -f; set -- $(ls -ld "$base/."); echo "$3")
  if [ "$(id -u)" != 0 ]; then
    # It belongs to another user: clearer than the error of the kernel.
    [ ! -d "$base" ] || [ -w "$base" ] || d_refuse owner "bookkeeping|$base|$d_owner||$d_deployed"
    return 0
  fi
  d_found=$(d_weak "$base")
  if [ -z "$d_found" ]; then d_found=$(d_weak "$root/.harness/cache"); fi
  if [ -n "$d_found" ] && [ -d "$base" ] && [ "$d_owner" != root ]; then
    d_refuse owner "bookkeeping|$base|$d_owner|$d_found|$d_deployed"
  fi
  [ -z "$d_found" ] || d_refuse owner "path|$d_found|$d_deployed"
  d_found=$(d_strange)
  [ -z "$d_found" ] || d_refuse owner "content|$d_found|$d_deployed"
}
d_boundary

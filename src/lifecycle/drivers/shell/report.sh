# shellcheck disable=SC2030,SC2031 # looks a program up on the PATH of the service
# Always one line: names of processes and programs may hold line ends.
h_say() {
  case $* in
    *[!A-Za-z0-9\ ./:_@~+-]*) printf '@harness %s\n' "$(printf '%s' "$*" | tr '\000-\037\177' '?')" ;;
    *) printf '@harness %s\n' "$*" ;;
  esac
}
h_fail() { h_say failed "$@"; exit 0; }
h_exit_code() { # of run $1, when it has ended
  h_run=; h_code=
  [ -r "$h_base.exit" ] || return 1
  while IFS='=' read -r h_key h_value; do
    case $h_key in run) h_run=$h_value ;; code) h_code=$h_value ;; esac
  done < "$h_base.exit"
  [ "$h_run" = "$1" ]
}
h_check_user() {
  [ -n "$h_as" ] || return 0
  h_login || h_fail "the user $h_as does not exist on this machine"
  [ "$(id -u)" = 0 ] || [ "$(id -u "$h_as")" = "$(id -u)" ] || h_fail "only root can run it as $h_as, and this is $(id -un)"
}
h_nl='
'
# Checks why a program cannot be executed, with one error text each; the kernel's are too short.
h_check_program() {
  h_program=$1
  case $h_program in
    */*) ;;
    *) h_program=$(PATH=${h_path:-$PATH}; command -v "$1") || h_fail "the program $1 is not on the PATH (${h_path:-$PATH})" ;;
  esac
  [ -e "$h_program" ] || h_fail "the program $h_program does not exist"
  [ ! -d "$h_program" ] || h_fail "the program $h_program is a directory"
  [ -f "$h_program" ] || h_fail "the program $h_program is no file"
  [ -x "$h_program" ] || h_fail "the program $h_program is not executable: chmod +x it"
  h_head=$(dd if="$h_program" bs=256 count=1 2>/dev/null | tr -d '\0')
  h_head=${h_head%%"$h_nl"*}
  h_cr=$(printf '\r')
  case $h_head in
    ?ELF*) return 0 ;;
    *"$h_cr") h_fail "the script $h_program has CRLF line ends: save it with LF" ;;
    '#!'*)
      h_head=${h_head#??}; h_head=${h_head#"${h_head%%[! ]*}"}
      h_head=${h_head%% *}
      case $h_head in /*) [ -x "$h_head" ] || h_fail "the interpreter $h_head of the script $h_program does not exist" ;; esac ;;
  esac
}
# Whether something listens on TCP port $1, and who.
h_check_port() {
  h_hex=$(printf '%04X' "$1")
  h_inode=$(grep -h -E "^ *[0-9]+: [0-9A-F]+:$h_hex [0-9A-F]+:[0-9A-F]+ 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    while read -r f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 f11; do echo "$f10"; break; done)
  [ -n "$h_inode" ] || return 0
  h_who="another process"
  for h_dir in /proc/[0-9]*; do
    case $(ls -l "$h_dir/fd" 2>/dev/null) in
      *"-> socket:[$h_inode]"*) IFS= read -r h_who < "$h_dir/comm"; h_who="$h_who (pid ${h_dir#/proc/})"; break ;;
    esac
  done
  h_fail "port $1 is already taken by $h_who"
}

# bash completion for harness-ws-server. Works without the package bash-completion, and with bash 3.2.

_harness_ws_server_program() {
  # Never what was typed: Tab must not start a program that happens to have this name.
  if type -P harness-ws-server >/dev/null; then
    command harness-ws-server "$@"
  else
    @PROGRAM@ "$@"
  fi
} 2>/dev/null </dev/null

_harness_ws_server() {
  local line directive=
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ -z $directive ]]; then
      directive=$line
    else
      COMPREPLY[${#COMPREPLY[@]}]=$line
    fi
  done <<<"$(_harness_ws_server_program complete bash \
    --line="${COMP_LINE:0:COMP_POINT}" --breaks="$COMP_WORDBREAKS")"
  # bash 3.2 has no compopt.
  type compopt &>/dev/null || return 0
  compopt -o nosort 2>/dev/null
  case $directive in
    *:files*) compopt -o default ;;
    *:dirs*) compopt -o dirnames ;;
  esac
  case $directive in
    *nospace*) compopt -o nospace ;;
  esac
  return 0
}

if type compopt &>/dev/null; then
  complete -F _harness_ws_server harness-ws-server
else
  complete -o default -F _harness_ws_server harness-ws-server
fi

#compdef harness-ws-server
# zsh completion for harness-ws-server. Works with and without compinit.

_harness_ws_server_program() {
  # Never what was typed: Tab must not start a program that happens to have this name.
  if (( $+commands[harness-ws-server] )); then
    command harness-ws-server "$@"
  else
    @PROGRAM@ "$@"
  fi
} 2>/dev/null </dev/null

# Sets directive, candidates and about; the word at the cursor comes first, then the words before it.
_harness_ws_server_ask() {
  local line current=$1
  shift
  directive= candidates=() about=()
  for line in "${(@f)$(_harness_ws_server_program complete zsh --current="$current" -- "$@")}"; do
    if [[ -z $directive ]]; then
      directive=$line
      continue
    fi
    candidates+=("${line%%$'\t'*}")
    about+=("${line/$'\t'/  -- }")
  done
}

_harness_ws_server() {
  local directive
  local -a candidates about options
  _harness_ws_server_ask "${(Q)PREFIX}" "${(@Q)words[2,CURRENT-1]}"
  [[ $directive == *nospace* ]] && options=(-S '')
  (( $#candidates )) && compadd -l -V harness-ws-server "${options[@]}" -d about -a candidates
  case $directive in
    *:files*|*:dirs*) compset -P '*=' ;;
  esac
  case $directive in
    *:files*) _files ;;
    *:dirs*) _files -/ ;;
  esac
}

# Without compinit: the older completion system, which every zsh has.
_harness_ws_server_compctl() {
  local directive
  local -a candidates about typed
  local -i at
  read -Ac typed
  read -nc at
  _harness_ws_server_ask "$1" "${(@Q)typed[2,at-1]}"
  case $directive in
    *:files*) candidates+=("$1"*(N)) ;;
    *:dirs*) candidates+=("$1"*(N-/)) ;;
  esac
  reply=("${candidates[@]}")
}

# compinit may run later in .zshrc than this.
_harness_ws_server_register() {
  precmd_functions=(${precmd_functions:#_harness_ws_server_register})
  (( $+functions[compdef] )) && compdef _harness_ws_server harness-ws-server
}

if [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then
  _harness_ws_server "$@"
elif (( $+functions[compdef] )); then
  compdef _harness_ws_server harness-ws-server
else
  # A pattern: zsh 5.9 does not find a name with a hyphen here. -tn: no files besides.
  compctl -K _harness_ws_server_compctl -tn 'harness?ws?server'
  precmd_functions+=(_harness_ws_server_register)
fi

# Takes the arguments that every script begins with: $1 container  $2 service  $3 root  $4 release or empty  $5 run dir.
# Reports one line each, whatever a message holds; log lines only after the line `@harness log`.
LC_ALL=C; export LC_ALL
h_nl='
'
h_tell() { h_word=$1; shift; printf '@harness %s ' "$h_word"; printf '%s' "$*" | tr '\n\r' '  '; echo; }
h_fail() { h_tell failed "$@"; exit 0; }
h_nap() { if sleep 0.1 2>/dev/null; then h_t=$((h_t + 1)); else sleep 1; h_t=$((h_t + 10)); fi; }
h_silent() { h_tell silent "Docker did not respond within $1 s"; exit 0; }
# Reports docker's error: its last line. $1 exit code  $2 timeout in seconds  $3 what was done  $4 its output
h_refused() {
  h_late "$1" && h_silent "$2"
  h_fail "$3: $(printf '%s\n' "$4" | grep -v '^ *$' | tail -n 1)"
}
command -v docker >/dev/null 2>&1 || h_fail "docker is not installed on this machine"
h_name=$1 h_service=$2 h_root=$3 h_release=$4 h_run_dir=$5
shift 5
h_next() {
  h_field=${h_rest%%"$h_nl"*} h_rest=${h_rest#*"$h_nl"}
  [ "$h_field" != "<no value>" ] || h_field=
}
# Go template: what the scripts need to know of a container, a line each, after a line of ours.
h_facts_format='@facts
{{.Name}}
{{.Id}}
{{.State.Status}}
{{.Image}}
{{index .Config.Labels "harness.service"}}
{{index .Config.Labels "harness.root"}}
{{index .Config.Labels "harness.release"}}
{{index .Config.Labels "harness.print"}}
{{range .Config.Env}}{{$p := split . "="}}{{if eq (index $p 0) "HARNESS_INSTALL_DIR"}}{{index $p 1}}{{end}}{{end}}
.'
# Inspects container $1, a name or a whole id. No container leaves s_id empty. Docker also matches the beginning of an
# id: a container with another name is not the requested one, and from here on only whole ids are used.
h_look() {
  s_id= s_state= s_image= s_service= s_root= s_release= s_print= s_install=
  h_code=0
  h_rest=$(h_docker "$h_status_seconds" inspect --type container -f "$h_facts_format" -- "$1" 2>&1 </dev/null) || h_code=$?
  if [ "$h_code" != 0 ]; then
    case $h_rest in *"o such "*) return 0 ;; esac
    h_refused "$h_code" "$h_status_seconds" docker "$h_rest"
  fi
  h_rest=${h_rest#*"@facts$h_nl"}
  h_next; h_is=${h_field#/}
  h_next; h_found=$h_field
  [ "$h_is" = "$1" ] || [ "$h_found" = "$1" ] || return 0
  s_id=$h_found
  h_next; s_state=$h_field
  h_next; s_image=$h_field
  h_next; s_service=$h_field
  h_next; s_root=$h_field
  h_next; s_release=$h_field
  h_next; s_print=$h_field
  h_next; s_install=$h_field
}
# Whether the inspected container is this service's, of this install root.
h_ours() {
  [ -n "$s_id" ] && [ "$s_service" = "$h_service" ] || return 1
  if [ -n "$s_root" ]; then [ "$s_root" = "$h_root" ]; return; fi
  # The previous version: the release is in its environment, if it has one.
  [ -n "$s_print" ] || return 1
  if [ -n "$s_install" ]; then [ -n "$h_release" ] && [ "${s_install%/*}" = "$h_root" ]; else [ -z "$h_release" ]; fi
}
h_up() { case $s_state in running | paused | restarting) return 0 ;; esac; return 1; }
# Reports container $1 as it is.
h_show() {
  printf '@harness container '
  h_docker "$h_status_seconds" inspect --type container -f "$h_inspect_format" -- "$1" 2>/dev/null </dev/null || echo
}
# Containers of this service and root that run under another name: there is to be one.
h_strays() {
  h_docker "$h_status_seconds" ps --no-trunc --filter "label=harness.service=$h_service" \
    --filter "label=harness.root=$h_root" --format '{{.ID}} {{.Names}}' 2>/dev/null </dev/null |
    grep -v -e "^$1 " | head -n 1
}

# Reads lines INDEX<tab>CONTAINER and prints what docker has of all of them.
h_status_docker() {
  h_nl='
'
  h_containers=
  while IFS="$(printf '\t')" read -r h_index h_container; do h_containers="$h_containers$h_container$h_nl"; done
  set -f
  IFS=$h_nl
  # shellcheck disable=SC2086 # a name a line
  set -- $h_containers
  unset IFS
  set +f
  h_code=0
  h_docker "$h_status_seconds" inspect --type container -f "$h_inspect_format" -- "$@" 2>&1 </dev/null || h_code=$?
  if h_late $h_code; then echo silent; else echo "ended $h_code"; fi
}

# Runs docker: h_docker SECONDS ARGUMENT...
h_timeout=none
# Old BusyBox wants its time otherwise.
if timeout 8 true >/dev/null 2>&1; then h_timeout=new
elif timeout -t 8 true >/dev/null 2>&1; then h_timeout=old; fi
h_docker() {
  h_seconds=$1
  shift
  case $h_timeout in
    new) set -- timeout -s KILL "$h_seconds" docker "$@" ;;
    old) set -- timeout -t "$h_seconds" -s KILL docker "$@" ;;
    none) set -- docker "$@" ;;
  esac
  h_client "$@"
}
# The login user's environment selects the daemon, as for every docker command of that user.
h_client() {
  ${h_exec:-} env -i PATH="$PATH" HOME="${HOME:-/}" LC_ALL=C ${DOCKER_HOST:+DOCKER_HOST="$DOCKER_HOST"} \
    ${DOCKER_CONTEXT:+DOCKER_CONTEXT="$DOCKER_CONTEXT"} ${DOCKER_CONFIG:+DOCKER_CONFIG="$DOCKER_CONFIG"} \
    ${DOCKER_TLS_VERIFY:+DOCKER_TLS_VERIFY="$DOCKER_TLS_VERIFY"} \
    ${DOCKER_CERT_PATH:+DOCKER_CERT_PATH="$DOCKER_CERT_PATH"} \
    ${XDG_RUNTIME_DIR:+XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR"} "$@"
}
# Whether exit code $1 means that the time was over. BusyBox's timeout ends like what it ended.
h_late() { case $1 in 124 | 137 | 143) return 0 ;; esac; return 1; }
# Go template: one JSON line per container. A string in JSON holds no line end, so none can be forged.
h_inspect_format='{"name":{{json .Name}},"id":{{json .Id}},"image":{{json .Image}},"status":{{json .State.Status}}'
h_inspect_format=$h_inspect_format',"pid":{{json .State.Pid}},"exit":{{json .State.ExitCode}},"oom":{{json .State.OOMKilled}}'
h_inspect_format=$h_inspect_format',"error":{{json .State.Error}},"restarts":{{json .RestartCount}},"from":{{json .Config.Image}}'
h_inspect_format=$h_inspect_format',"service":{{json (index .Config.Labels "harness.service")}}'
h_inspect_format=$h_inspect_format',"root":{{json (index .Config.Labels "harness.root")}}'
h_inspect_format=$h_inspect_format',"release":{{json (index .Config.Labels "harness.release")}}'
h_inspect_format=$h_inspect_format',"print":{{json (index .Config.Labels "harness.print")}}'
h_inspect_format=$h_inspect_format',"run":{{json (index .Config.Labels "harness.run")}}'
h_inspect_format=$h_inspect_format',"install":[{{range .Config.Env}}{{$p := split . "="}}'
h_inspect_format=$h_inspect_format'{{if eq (index $p 0) "HARNESS_INSTALL_DIR"}}{{json (index $p 1)}}{{end}}{{end}}]}'

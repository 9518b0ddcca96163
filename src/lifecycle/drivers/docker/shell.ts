/**
 * The POSIX sh text that every docker script begins with: how docker is run, and whose a container is.
 *
 * Constants only: whatever varies comes in as positional parameters. Runs in dash, bash, ksh and BusyBox ash. Names:
 * `h_…` are functions and scratch variables, `s_…` is what docker says of a container.
 *
 * The docker client runs as root on the host. It gets an environment of its own, made from nothing: nothing of a
 * package, deployment or manifest is ever in it, nor in the shell that starts it. Every call has a time limit of its
 * own, because a daemon that hangs keeps its clients waiting for ever.
 *
 * @module
 */
import { DOCKER_LOOK_SECONDS } from "./limits.ts";
import { OWN_ENVIRONMENT } from "../process/run_as.ts";

/** What our containers carry. The version before set `harness.service` and `harness.print` alone. */
export const LABELS = {
  /** Name of the service. */
  service: "harness.service",
  /** Install root of its deployment, or the directory of a plain registration's bookkeeping. */
  root: "harness.root",
  /** Directory of the release, or empty. */
  release: "harness.release",
  /** Id of the start that made the container. */
  run: "harness.run",
  /** Digest of everything that it was made from. */
  print: "harness.print",
} as const;

/** Runs docker: `h_docker SECONDS ARGUMENT…`. */
export const RUN_DOCKER: string = `
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
# Which daemon it is belongs to whoever logs in to this machine, as with every docker command of theirs.
h_client() {
  \${h_exec:-} env -i PATH="$PATH" HOME="\${HOME:-/}" LC_ALL=C \${DOCKER_HOST:+DOCKER_HOST="$DOCKER_HOST"} \\
    \${DOCKER_CONTEXT:+DOCKER_CONTEXT="$DOCKER_CONTEXT"} \${DOCKER_CONFIG:+DOCKER_CONFIG="$DOCKER_CONFIG"} \\
    \${DOCKER_TLS_VERIFY:+DOCKER_TLS_VERIFY="$DOCKER_TLS_VERIFY"} \\
    \${DOCKER_CERT_PATH:+DOCKER_CERT_PATH="$DOCKER_CERT_PATH"} \\
    \${XDG_RUNTIME_DIR:+XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR"} "$@"
}
# Whether exit code $1 means that the time was over. BusyBox's timeout ends like what it ended.
h_late() { case $1 in 124 | 137 | 143) return 0 ;; esac; return 1; }
`;

/** Reporting: one line each, whatever a message holds; log lines only after the line \`@harness log\`. */
export const REPORT: string = `
LC_ALL=C; export LC_ALL
h_nl='
'
h_tell() { h_word=$1; shift; printf '@harness %s ' "$h_word"; printf '%s' "$*" | tr '\\n\\r' '  '; echo; }
h_fail() { h_tell failed "$@"; exit 0; }
h_nap() { if sleep 0.1 2>/dev/null; then h_t=$((h_t + 1)); else sleep 1; h_t=$((h_t + 10)); fi; }
h_silent() { h_tell silent "Docker did not respond within $1 s"; exit 0; }
# What docker said: its last line. $1 exit code  $2 seconds it had  $3 what was done  $4 its words
h_refused() {
  h_late "$1" && h_silent "$2"
  h_fail "$3: $(printf '%s\\n' "$4" | grep -v '^ *$' | tail -n 1)"
}
command -v docker >/dev/null 2>&1 || h_fail "docker is not installed on this machine"
`;

/** Go template: what the scripts want to know of a container, a line each, after a line of ours. */
const FACTS = `@facts
{{.Name}}
{{.Id}}
{{.State.Status}}
{{.Image}}
{{index .Config.Labels "${LABELS.service}"}}
{{index .Config.Labels "${LABELS.root}"}}
{{index .Config.Labels "${LABELS.release}"}}
{{index .Config.Labels "${LABELS.print}"}}
{{range .Config.Env}}{{$p := split . "="}}{{if eq (index $p 0) "HARNESS_INSTALL_DIR"}}{{index $p 1}}{{end}}{{end}}
.`;

/** Go template: one JSON line per container. A string in JSON holds no line end, so none can be forged. */
export const INSPECT_FORMAT: string =
  `{"name":{{json .Name}},"id":{{json .Id}},"image":{{json .Image}},"status":{{json .State.Status}},` +
  `"pid":{{json .State.Pid}},"exit":{{json .State.ExitCode}},"oom":{{json .State.OOMKilled}},` +
  `"error":{{json .State.Error}},"restarts":{{json .RestartCount}},"from":{{json .Config.Image}},` +
  `"service":{{json (index .Config.Labels "${LABELS.service}")}},` +
  `"root":{{json (index .Config.Labels "${LABELS.root}")}},` +
  `"release":{{json (index .Config.Labels "${LABELS.release}")}},` +
  `"print":{{json (index .Config.Labels "${LABELS.print}")}},` +
  `"run":{{json (index .Config.Labels "${LABELS.run}")}},` +
  `"install":[{{range .Config.Env}}{{$p := split . "="}}` +
  `{{if eq (index $p 0) "HARNESS_INSTALL_DIR"}}{{json (index $p 1)}}{{end}}{{end}}]}`;

/**
 * Takes the five arguments that every script begins with, and looks at the container.
 *
 * $1 container  $2 service  $3 root  $4 release or empty  $5 run dir.
 */
export const IDENTITY: string = `
h_name=$1 h_service=$2 h_root=$3 h_release=$4 h_run_dir=$5
shift 5
h_next() {
  h_field=\${h_rest%%"$h_nl"*} h_rest=\${h_rest#*"$h_nl"}
  [ "$h_field" != "<no value>" ] || h_field=
}
# Looks at container $1, a name or a whole id. No container leaves s_id empty. Docker takes what it is given also for
# the beginning of an id: what has another name is not what was asked for, and from here on only whole ids are used.
h_look() {
  s_id= s_state= s_image= s_service= s_root= s_release= s_print= s_install=
  h_code=0
  h_rest=$(h_docker ${DOCKER_LOOK_SECONDS} inspect --type container -f '${FACTS}' -- "$1" 2>&1 </dev/null) || h_code=$?
  if [ "$h_code" != 0 ]; then
    case $h_rest in *"o such "*) return 0 ;; esac
    h_refused "$h_code" ${DOCKER_LOOK_SECONDS} docker "$h_rest"
  fi
  h_rest=\${h_rest#*"@facts$h_nl"}
  h_next; h_is=\${h_field#/}
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
# Whether the container that was looked at is this service's of this install root.
h_ours() {
  [ -n "$s_id" ] && [ "$s_service" = "$h_service" ] || return 1
  if [ -n "$s_root" ]; then [ "$s_root" = "$h_root" ]; return; fi
  # The version before: the release stands in its environment, where it has one.
  [ -n "$s_print" ] || return 1
  if [ -n "$s_install" ]; then [ -n "$h_release" ] && [ "\${s_install%/*}" = "$h_root" ]; else [ -z "$h_release" ]; fi
}
h_up() { case $s_state in running | paused | restarting) return 0 ;; esac; return 1; }
# Reports container $1 as it is.
h_show() {
  printf '@harness container '
  h_docker ${DOCKER_LOOK_SECONDS} inspect --type container -f '${INSPECT_FORMAT}' -- "$1" 2>/dev/null </dev/null || echo
}
# Containers of this service and root that run under another name: there is to be one.
h_strays() {
  h_docker ${DOCKER_LOOK_SECONDS} ps --no-trunc --filter "label=${LABELS.service}=$h_service" \\
    --filter "label=${LABELS.root}=$h_root" --format '{{.ID}} {{.Names}}' 2>/dev/null </dev/null |
    grep -v -e "^$1 " | head -n 1
}
`;

/** What the docker scripts begin with. */
export const DOCKER_LIBRARY: string = `${OWN_ENVIRONMENT}${RUN_DOCKER}${REPORT}${IDENTITY}`;

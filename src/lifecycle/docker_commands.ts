/**
 * The commands of the docker controller as data, and what `docker inspect` says as facts. Nothing is ever pulled.
 *
 * @module
 */
import type { Command } from "../executor/executor.ts";
import { FAILURE_LOG_LINES, START_SETTLE_MS } from "../limits.ts";
import { statusFromCode } from "./exit_status.ts";
import { PROCESS_LIBRARY } from "./process_shell.ts";
import { SAY } from "./process_scripts.ts";
import type { ServiceSpec, ServiceStatus, SpecExecution } from "./service_spec.ts";

/** A spec that is known to be a container. */
export type DockerSpec = ServiceSpec & {
  execution: Extract<SpecExecution, { type: "docker_container" }>;
};

/** One line per container: the name first, so that answers for many can be told apart. */
export const INSPECT_FORMAT =
  "{{.Name}}|{{.State.Status}}|{{.State.Pid}}|{{.Id}}|{{.State.ExitCode}}|{{.RestartCount}}|{{.State.OOMKilled}}|{{.State.Error}}";

/**
 * $1 container  $2 image  $3 image tar or empty  $4 env file or empty  $5 restart policy  $6 stop signal  $7 service
 * $8 version  $9 tenths it must live, then `-p` words.
 */
const START = `${PROCESS_LIBRARY}${SAY}
h_name=$1 h_image=$2 h_tar=$3 h_env=$4 h_restart=$5 h_stop=$6 h_service=$7 h_version=$8 h_settle=$9
shift 9
command -v docker >/dev/null 2>&1 || h_fail "docker is not installed on this machine"
h_inspect() { docker inspect --type container -f "$1" "$h_name" 2>/dev/null; }
h_show() { h_inspect '${INSPECT_FORMAT}'; }
h_state=$(h_inspect '{{.State.Status}}')
if [ "$h_state" = running ]; then h_say container; h_show; exit 0; fi
if [ -n "$h_tar" ]; then
  h_loaded=$(docker load -q -i "$h_tar" 2>&1) || h_fail "the image file $h_tar cannot be loaded: $h_loaded"
  if [ -z "$h_image" ]; then h_image=\${h_loaded##*: }; fi
fi
h_id=$(docker image inspect -f '{{.Id}}' "$h_image" 2>&1) || {
  case $h_id in
    *"o such image"*) h_fail "the image $h_image is not on this machine, and images are never pulled: put image.tar into the package or load it by hand" ;;
  esac
  h_fail "docker: $(printf '%s\\n' "$h_id" | tail -n 1)"
}
# What makes an existing container unfit: another image, environment, ports or policy than asked for.
h_print=$( { echo "$h_id $h_restart $h_stop $h_version $*"; [ -z "$h_env" ] || cat "$h_env"; } | cksum)
if [ -n "$h_state" ]; then
  h_made=$(h_inspect '{{index .Config.Labels "harness.print"}}')
  if [ -z "$h_made" ] && [ "$(h_inspect '{{.Image}}')" != "$h_id" ]; then
    h_fail "a container $h_name that is not ours exists already, with another image: remove or rename it"
  fi
  if [ -n "$h_made" ] && [ "$h_made" != "$h_print" ]; then
    h_error=$(docker rm -f "$h_name" 2>&1) || h_fail "the old container cannot be removed: $h_error"
    h_state=
  fi
fi
if [ -z "$h_state" ]; then
  # The values stay out of argv: "-e NAME" makes docker take them from its own environment.
  if [ -n "$h_env" ]; then
    set -a; . "$h_env"; set +a
    for h_variable in $(sed -n "s/^\\([A-Za-z_][A-Za-z0-9_]*\\)=.*/\\1/p" "$h_env"); do set -- "$@" -e "$h_variable"; done
  fi
  h_error=$(docker create --name "$h_name" --label "harness.service=$h_service" --label "harness.print=$h_print" \\
    --restart "$h_restart" --stop-signal "$h_stop" "$@" "$h_image" 2>&1 >/dev/null) || h_fail "docker create: $h_error"
fi
h_since=$(date +%s)
h_before=$(h_inspect '{{.RestartCount}}')
if ! h_error=$(docker start "$h_name" 2>&1 >/dev/null); then
  h_say container; h_show; h_say error "docker start: $h_error"; exit 0
fi
h_t=0
while [ $h_t -lt "$h_settle" ]; do h_nap; done
if [ "$(h_inspect '{{.State.Status}} {{.RestartCount}}')" = "running $h_before" ]; then h_say container; h_show; exit 0; fi
h_say container; h_show; h_say error "it did not stay up"
docker logs --since "$h_since" --tail ${FAILURE_LOG_LINES} "$h_name" 2>&1
docker stop -t 1 "$h_name" >/dev/null 2>&1
exit 0
`;

/** $1 container  $2 whole seconds of patience. */
const STOP = `${SAY}
h_name=$1
command -v docker >/dev/null 2>&1 || h_fail "docker is not installed on this machine"
h_show() { docker inspect --type container -f '${INSPECT_FORMAT}' "$h_name" 2>/dev/null; }
if ! h_error=$(docker stop -t "$2" "$h_name" 2>&1 >/dev/null); then
  case $h_error in *"o such container"*) ;; *) h_fail "docker stop: $h_error" ;; esac
fi
h_say container; h_show
`;

/** $1 container. */
const RELOAD = `${SAY}
h_name=$1
h_error=$(docker kill -s HUP "$h_name" 2>&1 >/dev/null) || h_fail "docker kill -s HUP: $h_error"
h_say container; docker inspect --type container -f '${INSPECT_FORMAT}' "$h_name"
`;

/** Makes the container unless there is a fitting one, and starts it. */
export function startContainerCommand(spec: DockerSpec): Command {
  const { execution, restart, stop } = spec;
  return {
    script: START,
    args: [
      execution.container,
      execution.image,
      execution.imageTar ?? "",
      spec.envFile ?? "",
      dockerRestart(restart),
      stop.signal,
      spec.name,
      spec.version,
      String(Math.ceil(START_SETTLE_MS / 100)),
      ...spec.ports.flatMap(({ port, protocol }) => [
        "-p",
        `${port}:${port}${protocol === "udp" ? "/udp" : ""}`,
      ]),
    ],
  };
}

/** Stops the container; docker kills it when its patience is over. */
export function stopContainerCommand(spec: DockerSpec): Command {
  const seconds = String(Math.ceil(spec.stop.timeoutMs / 1000));
  return { script: STOP, args: [spec.execution.container, seconds] };
}

/** Sends SIGHUP to the container's main process. */
export function reloadContainerCommand(spec: DockerSpec): Command {
  return { script: RELOAD, args: [spec.execution.container] };
}

/** Looks at a container. */
export function inspectCommand(container: string): Command {
  return { argv: ["docker", "inspect", "--type", "container", "-f", INSPECT_FORMAT, container] };
}

/** Prints the end of a container's log, stdout and stderr as they came. */
export function containerLogsCommand(container: string, lines: number): Command {
  return {
    script: 'exec docker logs --tail "$2" "$1" 2>&1',
    args: [container, String(lines)],
  };
}

/** Prints a container's log as it grows. */
export function followContainerCommand(container: string): Command {
  return { script: 'exec docker logs --tail 0 -f "$1" 2>&1', args: [container] };
}

/** What `docker inspect` says, beyond the facts every controller gives. */
export interface ContainerStatus extends ServiceStatus {
  /** The container's name. */
  name: string;
  /** Restarts that docker made by itself. */
  restarts: number;
  /** Whether docker is about to start it again. */
  restarting: boolean;
}

/** Reads one line in {@linkcode INSPECT_FORMAT}; `null` when it is none. */
export function parseContainer(line: string): ContainerStatus | null {
  const [name = "", state = "", pid = "", id = "", code = "", restarts = "", oom = "", ...error] =
    line
      .trim().split("|");
  if (id === "") return null;
  const running = state === "running" || state === "paused";
  const restarting = state === "restarting";
  const ended = state === "exited" || state === "dead" || restarting;
  const end = statusFromCode(code);
  const why = [oom === "true" ? "out of memory" : "", error.join("|")].filter((w) => w !== "");
  const words = ended ? [end.text, ...why] : why;
  return {
    running,
    pid: running && Number(pid) > 0 ? Number(pid) : null,
    containerId: id,
    ...(ended ? end.facts : { exitCode: null, signal: null }),
    detail: `container is ${state}${words.length === 0 ? "" : ` (${words.join("; ")})`}`,
    name: name.replace(/^\//, ""),
    restarts: Number(restarts) || 0,
    restarting,
  };
}

/** Docker restarts by itself, so that its services survive a restart of dockerd and of the machine. */
function dockerRestart(restart: DockerSpec["restart"]): string {
  switch (restart.policy) {
    case "no":
      return "no";
    case "always":
      return "unless-stopped";
    case "on-failure":
      return `on-failure:${restart.maxRetries}`;
  }
}

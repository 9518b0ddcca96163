/**
 * The commands of the docker controller as data. Nothing is ever pulled.
 *
 * @module
 */
import { settleTenths } from "../run_control.ts";
import type { Command } from "../../../executor/executor.ts";
import {
  CONTAINER_LOGS,
  LOOK_CONTAINER,
  RELOAD_CONTAINER,
  START_CONTAINER,
  STOP_CONTAINER,
} from "./scripts.ts";
import { releaseDirOf, type ServiceSpec, type SpecOf } from "../../service_spec.ts";

/** A spec that is known to be a container. */
export type DockerSpec = SpecOf<"docker_container">;

/** The owner of a container, as its labels must name it. */
export interface ContainerOwner {
  /** Name of the service. */
  service: string;
  /** Install root, or the directory of a plain registration's bookkeeping. */
  root: string;
  /** Directory of the release, or empty. */
  release: string;
}

/** The owner of the container of `spec`. */
export function ownerOf(spec: ServiceSpec): ContainerOwner {
  const release = releaseDirOf(spec);
  return { service: spec.name, root: parentOf(release ?? spec.runDir), release: release ?? "" };
}

/** Makes the container unless there is a fitting one, and starts it. */
export function startContainerCommand(
  spec: DockerSpec,
  { runId = crypto.randomUUID(), settleMs }: {
    runId?: string;
    settleMs?: number | undefined;
  } = {},
): Command {
  const { execution, restart, stop } = spec;
  return {
    name: "docker/start",
    script: START_CONTAINER,
    args: [
      ...identityArgs(spec),
      execution.image,
      execution.imageId ?? "",
      execution.imageTar ?? "",
      spec.envFile ?? "",
      dockerRestart(restart),
      stop.signal,
      spec.version,
      settleTenths(settleMs),
      runId,
      ...portWords(spec.ports),
    ],
  };
}

/** Stops the container, if it is this service's; docker kills it after the timeout. */
export function stopContainerCommand(spec: DockerSpec): Command {
  const seconds = String(Math.ceil(spec.stop.timeoutMs / 1000));
  return { name: "docker/stop", script: STOP_CONTAINER, args: [...identityArgs(spec), seconds] };
}

/** Sends SIGHUP to the container's main process. */
export function reloadContainerCommand(spec: DockerSpec): Command {
  return { name: "docker/reload", script: RELOAD_CONTAINER, args: identityArgs(spec) };
}

/** Inspects the container, regardless of its owner. */
export function inspectCommand(spec: DockerSpec): Command {
  return { name: "docker/look", script: LOOK_CONTAINER, args: identityArgs(spec) };
}

/** Prints the end of a container's log, stdout and stderr as they came. */
export function containerLogsCommand(spec: DockerSpec, lines: number, sinceMs = 0): Command {
  return {
    name: "docker/logs",
    script: CONTAINER_LOGS,
    // Docker's 0 is all there is.
    args: [...identityArgs(spec), String(lines), String(Math.floor(sinceMs / 1000))],
  };
}

/** Prints a container's log as it grows. */
export function followContainerCommand(spec: DockerSpec): Command {
  return { name: "docker/follow", script: CONTAINER_LOGS, args: [...identityArgs(spec), "follow"] };
}

/** The arguments of `docker run` and `docker create` that publish ports. */
export function portWords(ports: DockerSpec["ports"]): string[] {
  return ports.flatMap(({ port, protocol }) => [
    "-p",
    `${port}:${port}${protocol === "udp" ? "/udp" : ""}`,
  ]);
}

function identityArgs(spec: DockerSpec): string[] {
  const { service, root, release } = ownerOf(spec);
  return [spec.execution.container, service, root, release, spec.runDir];
}

/** The directory that `path` is in. */
function parentOf(path: string): string {
  return path.replace(/(?<!\/)\/+$/, "").replace(/\/[^/]*$/, "") || "/";
}

/** Docker restarts by itself, so that its services survive a restart of dockerd and of the machine. */
function dockerRestart({ policy, maxRetries }: DockerSpec["restart"]): string {
  if (policy === "always") return "unless-stopped";
  // Zero would mean "without end" to docker.
  return policy === "no" || maxRetries === 0 ? "no" : `on-failure:${maxRetries}`;
}

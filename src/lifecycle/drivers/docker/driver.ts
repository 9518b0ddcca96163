/**
 * Containers of the machine's Docker daemon.
 *
 * @module
 */
import { assign } from "../../../executor/shell/include.ts";
import { quote } from "../../../executor/shell/quote.ts";
import { sanitizeName } from "../../../package/names.ts";
import type { Driver, ObservedStatus } from "../driver.ts";
import { ownerOf, portWords, startContainerCommand, stopContainerCommand } from "./commands.ts";
import { DockerController } from "./controller.ts";
import { DOCKER_STATUS_SECONDS } from "./limits.ts";
import { RUN_DOCKER } from "./scripts.ts";
import { parseContainer, statusOf } from "./status.ts";
import hostStatus from "./host_status.sh" with { type: "text" };

/** How docker reports that there is no such container. */
const NONE = /no such (?:object|container)/i;

/** A container. Docker restarts it by itself, so that it survives a restart of dockerd and of the machine. */
export const dockerDriver: Driver<"docker_container", "docker_container"> = {
  restartsItself: true,
  isolated: true,
  engine: "docker",
  status: {
    section: "docker",
    script: RUN_DOCKER + assign({ h_status_seconds: DOCKER_STATUS_SECONDS }) + hostStatus,
    read(text, asked) {
      const lines = text.split("\n").filter((line) => line !== "");
      const last = lines.at(-1) ?? "";
      const containers = lines.map(parseContainer).filter((found) => found !== null);
      const byName = new Map(containers.map((container) => [container.name, container]));
      // Docker answers for each name, also where it takes the name for the beginning of another one's id.
      const answered = /^ended [01]$/.test(last) &&
        lines.slice(0, -1).every((line) => line.startsWith("{") || NONE.test(line));
      const why = reason(lines);
      return new Map([...asked].map(([index, spec]): [number, ObservedStatus | string] => {
        if (spec.execution.type !== "docker_container") return [index, why];
        const container = byName.get(spec.execution.container) ?? null;
        const known = container !== null || answered;
        return [index, known ? statusOf(container, ownerOf(spec)) : why];
      }));
    },
  },
  statusQuery: ({ execution }) => [execution.container],
  controller: (executor, spec, settings) => new DockerController(executor, spec, settings),
  startCommand: (spec) => startContainerCommand(spec),
  stopCommand: stopContainerCommand,
  startHint: ({ execution: { container, image }, ports }) =>
    quote(["docker", "run", "--name", container, ...portWords(ports), image]),
  logHint: ({ execution }) => quote(["docker", "logs", execution.container]),
  fromManifest: ({ manifest: { name, version, service }, dir, files }) => ({
    type: "docker_container",
    image: service.image ?? `${name}:${version}`,
    imageTar: files.imageTar ? `${dir}/image.tar` : null,
    container: sanitizeName(name),
  }),
  plannedEntry: ({ name, service }) => ({
    type: "docker_container",
    image: service.image ?? name,
    container_id: null,
    name: null,
  }),
  fromEntry: ({ image, name: container }, name) => ({
    type: "docker_container",
    image,
    imageTar: null,
    container: container ?? `harness-${name}`,
  }),
  toEntry: ({ image, container }, { containerId }) => ({
    type: "docker_container",
    image,
    container_id: containerId,
    name: container,
  }),
  // A tag may name another image when the release is started again.
  afterStart: (execution, { imageId }) => imageId ? { ...execution, imageId } : execution,
};

function reason(lines: readonly string[]): string {
  if (lines.at(-1) === "silent") return `Docker did not respond within ${DOCKER_STATUS_SECONDS} s`;
  const words = lines.findLast((line) =>
    !line.startsWith("{") && !/^ended \d+$/.test(line) && !NONE.test(line)
  );
  return words ?? "docker gave no reason";
}

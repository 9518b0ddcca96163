/**
 * Reads what docker reports of a container. Pure.
 *
 * @module
 */
import type { ContainerOwner } from "./commands.ts";
import { statusFromCode } from "../../exit_status.ts";
import type { Occupant, RunIdentity, ServiceStatus } from "../../service_spec.ts";

/** A container as `docker inspect` reports it. */
export interface ContainerStatus extends ServiceStatus {
  /** The container's name. */
  name: string;
  /** Restarts that docker made by itself since it was last started. */
  restarts: number;
  /** Whether docker is about to start it again. */
  restarting: boolean;
  /** Id of its image. */
  imageId: string;
  /** Its own marks. */
  marks: ContainerMarks;
  /** The run it belongs to, as far as its marks name it. */
  identity: RunIdentity;
}

/** What a container carries. */
export interface ContainerMarks {
  /** Name of the service, or empty. */
  service: string;
  /** Install root, or empty. */
  root: string;
  /** Digest of what it was made from, or empty. */
  print: string;
  /** `HARNESS_INSTALL_DIR` of its environment, or empty. */
  install: string;
}

/** No container of this service. */
const ABSENT: ServiceStatus = {
  running: false,
  pid: null,
  containerId: null,
  exitCode: null,
  signal: null,
  detail: "there is no such container",
};

/** Reads one line in `INSPECT_FORMAT`; `null` when it is none. */
export function parseContainer(line: string): ContainerStatus | null {
  const found = parseFields(line);
  if (found === null) return null;
  const text = (key: string) => {
    const value = found[key];
    return typeof value === "string" && value !== "<no value>" ? value : "";
  };
  const state = text("status");
  const running = state === "running" || state === "paused";
  const restarting = state === "restarting";
  const ended = state === "exited" || state === "dead" || restarting;
  const end = statusFromCode(String(found.exit));
  const why = [found.oom === true ? "out of memory" : "", text("error")].filter((w) => w !== "");
  const words = ended ? [end.text, ...why] : why;
  const pid = Number(found.pid);
  const install = Array.isArray(found.install) ? String(found.install[0] ?? "") : "";
  const marks = { service: text("service"), root: text("root"), print: text("print"), install };
  const release = text("release") || (marks.service === "" ? "" : install);
  return {
    running,
    pid: running && pid > 0 ? pid : null,
    containerId: text("id"),
    ...(ended ? end.facts : { exitCode: null, signal: null }),
    detail: `container is ${state}${words.length === 0 ? "" : ` (${words.join("; ")})`}`,
    name: text("name").replace(/^\//, ""),
    restarts: Number(found.restarts) || 0,
    restarting,
    imageId: text("image"),
    marks,
    identity: { runId: text("run") || null, releaseDir: release || null },
  };
}

/** Whether a container is of this service and install root. The scripts ask the same in `h_ours`. */
function isOurs({ marks }: ContainerStatus, owner: ContainerOwner): boolean {
  const { service, root, print, install } = marks;
  if (service !== owner.service) return false;
  if (root !== "") return root === owner.root;
  // The version before: its environment names the release, where it has one.
  if (print === "") return false;
  if (install === "") return owner.release === "";
  return owner.release !== "" && install.replace(/\/[^/]*$/, "") === owner.root;
}

/** The status of a service whose name `container` has: one of another owner proves nothing about it. */
export function statusOf(
  container: ContainerStatus | null,
  owner: ContainerOwner,
): ServiceStatus & { restarts: number; restarting: boolean } {
  if (container !== null && isOurs(container, owner)) {
    const { marks: _marks, name: _name, ...status } = container;
    return status;
  }
  const detail = container === null
    ? ABSENT.detail
    : `there is no container of this service; ${container.name} is ${originOf(container)}`;
  return { ...ABSENT, detail, restarts: 0, restarting: false };
}

/** A container as what has taken the name that a service would take. */
export function occupantOf(container: ContainerStatus, owner: ContainerOwner): Occupant {
  const { name, identity, running, restarting, detail, imageId } = container;
  const ours = isOurs(container, owner);
  const parts = [detail, `image ${imageId}`, ...(ours ? [] : [originOf(container)])];
  const known = identity.runId !== null || identity.releaseDir !== null;
  return {
    kind: "container",
    name,
    ours,
    identity: known ? identity : null,
    running: running || restarting,
    detail: parts.join(", "),
  };
}

function originOf({ marks }: ContainerStatus): string {
  if (marks.service === "") return "not one of harness-ws-server's";
  const root = marks.root || marks.install.replace(/\/[^/]*$/, "");
  return `of the service ${marks.service}${root === "" ? "" : `, installed under ${root}`}`;
}

function parseFields(line: string): Record<string, unknown> | null {
  if (!line.startsWith("{")) return null;
  try {
    const value: unknown = JSON.parse(line);
    const fields = value as Record<string, unknown>;
    return typeof value === "object" && value !== null && typeof fields.id === "string"
      ? fields
      : null;
  } catch {
    return null;
  }
}

/**
 * What a deployment means for the registry: which instance a host is, which state each step leaves it in,
 * and what is known of it when the host is done.
 *
 * @module
 */
import type { DeployedService, DeployProgress, HostResult } from "../deploy/progress.ts";
import type { Manifest, ManifestPort } from "../package/manifest.ts";
import { assertNoCycle } from "../registry/dependencies.ts";
import type {
  Endpoint,
  EndpointProtocol,
  Execution,
  ServiceInput,
  ServiceState,
} from "../registry/entry.ts";
import type { Registry } from "../registry/registry.ts";
import { HarnessError } from "../errors.ts";
import { type Host, instanceId } from "./hosts.ts";
import { driveState, startingPatch } from "./state_path.ts";

const PROTOCOLS: readonly EndpointProtocol[] = [
  "http",
  "https",
  "grpc",
  "tcp",
  "udp",
  "websocket",
];

/** One host of a deployment and the instance that it is in the registry. */
export interface Instance {
  /** Instance id. */
  id: string;
  /** The host. */
  host: Host;
  /** Whether this deployment put the entry into the registry. */
  isNew: boolean;
}

/**
 * Finds or registers the instance of each host, before anything is done.
 *
 * @throws {HarnessError} `invalid_params` when the package's dependencies would close a cycle.
 */
export async function claimInstances(
  registry: Registry,
  manifest: Manifest,
  hosts: readonly Host[],
): Promise<Instance[]> {
  const { name, dependsOn } = manifest;
  assertNoCycle(name, dependsOn, (needed) => {
    return registry.list({ name: needed }).flatMap((entry) => entry.depends_on);
  });
  const instances: Instance[] = [];
  for (const host of hosts) {
    const id = instanceId(registry.list({ name }), name, host.location, hosts.length);
    const isNew = !registry.list({ name }).some((entry) => entry.id === id);
    if (isNew) await registry.register(inputOf(id, manifest, host));
    instances.push({ id, host, isNew });
  }
  return instances;
}

/** Takes back what {@linkcode claimInstances} registered for hosts on which nothing was installed. */
export async function releaseInstances(
  registry: Registry,
  instances: readonly Instance[],
): Promise<void> {
  for (const { id, isNew } of instances) {
    if (isNew) await registry.deregister(id).catch(ignoreNotFound);
  }
}

/** What a step says about the state of the instance: the old release stops and the new one starts in `start`. */
export async function applyProgress(
  registry: Registry,
  id: string,
  progress: DeployProgress,
): Promise<void> {
  if (progress.step !== "start") return;
  const reason = `deploy ${progress.deployment_id}`;
  const move = (state: ServiceState) => {
    const also = state === "starting" ? startingPatch(registry.get(id)) : {};
    return registry.update(id, { ...also, state, state_reason: reason });
  };
  const { state } = registry.get(id);
  if (progress.status === "started") {
    if (state === "running") await move("stopping");
    else if (state !== "starting") await move("starting");
  } else if (progress.status === "done" && state === "stopping") {
    await move("stopped");
    await move("starting");
  }
}

/** Writes how a host ended. Returns whether an entry remains. */
export async function settleInstance(
  registry: Registry,
  instance: Instance,
  result: HostResult,
  deploymentId: string,
): Promise<boolean> {
  const { service } = result;
  const reason = reasonOf(result, deploymentId);
  if (service === null) {
    if (instance.isNew && result.versionAfter === null && result.outcome !== "rollback_failed") {
      await releaseInstances(registry, [instance]);
      return false;
    }
    // Nothing was touched, or nobody knows: only a host that was left without its service has failed.
    const broken = result.outcome === "rollback_failed" ||
      (result.versionAfter === null && result.versionBefore !== null &&
        result.outcome === "failed");
    const { state } = registry.get(instance.id);
    const moving = state === "starting" || state === "stopping";
    if (broken || moving) await driveState(registry, instance.id, "failed", reason);
    return true;
  }
  const patch = {
    version: service.version,
    execution: executionOf(service),
    endpoints: endpointsOf(service.spec.ports, service.address),
    depends_on: service.manifest.dependsOn,
  };
  const to = service.status.running ? "running" : "failed";
  await driveState(registry, instance.id, to, reason, patch);
  return true;
}

function reasonOf(result: HostResult, deploymentId: string): string {
  if (result.outcome === "ok") return `deploy ${deploymentId}`;
  const why = result.error === null ? "" : `: ${result.error.message}`;
  return `deploy ${deploymentId} ${result.outcome.replace("_", " ")}${why}`.slice(0, 2000);
}

function inputOf(id: string, manifest: Manifest, host: Host): ServiceInput {
  return {
    id,
    name: manifest.name,
    version: manifest.version,
    execution: plannedExecution(manifest, host.installRoot),
    location: host.location,
    depends_on: manifest.dependsOn,
    endpoints: [],
  };
}

/** What the entry says before the host has told more. */
function plannedExecution({ name, service }: Manifest, installRoot: string): Execution {
  if (service.type === "docker_container") {
    return {
      type: "docker_container",
      image: service.image ?? name,
      container_id: null,
      name: null,
    };
  }
  if (service.type === "systemd_service") {
    return { type: "systemd_service", unit_name: service.unit ?? `${name}.service` };
  }
  const command = `${installRoot}/.harness/${name}/current/scripts/start.sh`;
  return { type: "managed_process", command, args: [], pid: null };
}

/** The execution as the registry shows it. */
export function executionOf({ spec, status }: DeployedService): Execution {
  const { execution } = spec;
  switch (execution.type) {
    case "managed_process": {
      const [command, ...args] = execution.argv;
      return { type: "managed_process", command, args, pid: status.pid };
    }
    case "docker_container":
      return {
        type: "docker_container",
        image: execution.image,
        container_id: status.containerId,
        name: execution.container,
      };
    case "systemd_service":
      return { type: "systemd_service", unit_name: execution.unit };
    case "systemd_portable":
      return {
        type: "systemd_portable",
        image_name: execution.image,
        unit_name: execution.unit,
      };
  }
}

/** The ports as endpoints at `address`. */
function endpointsOf(ports: readonly ManifestPort[], address: string): Endpoint[] {
  const host = address.includes(":") ? `[${address}]` : address;
  return ports.map(({ name, port, protocol }) => ({
    name,
    address: `${host}:${port}`,
    protocol: PROTOCOLS.find((known) => known === protocol) ?? { custom: protocol },
    metadata: {},
  }));
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof HarnessError && error.code === "not_found")) throw error;
}

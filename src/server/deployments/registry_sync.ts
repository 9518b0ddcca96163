/**
 * Keeps the registry in sync with a deployment: instances of its hosts, states after each step, and final entries.
 *
 * @module
 */
import { driverFor } from "../../lifecycle/drivers/table.ts";
import type { DeployedService, DeployProgress, HostResult } from "../../deploy/progress.ts";
import type { Deployment } from "../../protocol/actions.ts";
import type { Manifest, ManifestPort } from "../../package/manifest/manifest.ts";
import { assertNoCycle } from "../../registry/dependencies.ts";
import {
  type Endpoint,
  type Execution,
  KNOWN_PROTOCOLS,
  type ServiceInput,
  type ServiceState,
} from "../../model/service.ts";
import type { Registry } from "../../registry/registry.ts";
import { MAX_REASON_LENGTH } from "../limits.ts";
import { type Host, instanceId } from "../hosts/host_directory.ts";
import { advanceTo } from "../services/entry_state.ts";

/** One host of a deployment and its instance in the registry. */
export interface Instance {
  /** Instance id. */
  id: string;
  /** The host. */
  host: Host;
  /** The entry to register once the host has answered; `null` when there is one. */
  input: ServiceInput | null;
  /** Whether it was stopped when the deployment began: a host that is put back leaves it so. */
  wasStopped: boolean;
  /** Whether this deployment has registered it. */
  registered?: boolean;
}

/**
 * Refuses a package whose dependencies would form a cycle.
 *
 * @throws {HarnessError} `invalid_params`, with the cycle.
 */
export function checkDependencies(registry: Registry, { name, dependsOn }: Manifest): void {
  assertNoCycle(name, dependsOn, (needed) => registry.needsOf(needed));
}

/** The instance of each host. New ones are registered by {@linkcode admitInstance}. */
export function claimInstances(
  registry: Registry,
  manifest: Manifest,
  hosts: readonly Host[],
): Instance[] {
  const entries = registry.list({ name: manifest.name });
  return hosts.map((host) => {
    const id = instanceId(entries, manifest.name, host.location, hosts.length);
    const entry = entries.find((entry) => entry.id === id);
    const input = entry === undefined ? inputOf(id, manifest, host) : null;
    return { id, host, input, wasStopped: entry?.state === "stopped" };
  });
}

/** Registers a new instance, once its host has answered and before anything is changed there. */
export async function admitInstance(registry: Registry, instance: Instance): Promise<void> {
  const { input, host } = instance;
  if (input === null) return;
  await registry.register({ ...input, location: await host.locate() });
  instance.registered = true;
}

/** Applies a step to the state of the instance: the old release stops and the new one starts in `start`. */
export async function applyProgress(
  registry: Registry,
  instance: Instance,
  progress: DeployProgress,
): Promise<void> {
  const { id } = instance;
  if (progress.step !== "start") return;
  const reason = `deploy ${progress.deployment_id}`;
  const move = (state: ServiceState) => registry.update(id, { state, state_reason: reason });
  const { state } = registry.get(id);
  if (progress.status === "started") {
    if (state === "running") await move("stopping");
    else if (state !== "starting") await move("starting");
  } else if (progress.status === "done" && state === "stopping") {
    await move("stopped");
    await move("starting");
  }
}

/** Writes the outcome of a host. Returns whether there is an entry. */
export async function recordOutcome(
  registry: Registry,
  instance: Instance,
  result: HostResult,
  deployment: Pick<Deployment, "deployment_id" | "kind">,
): Promise<boolean> {
  const { id, input, host, registered = false } = instance;
  const entry = registry.ofId(id);
  // If the host never answered, or the registry refused it, an entry of that id is not from this deployment.
  if (entry === undefined || (input !== null && !registered)) return false;
  const { service, outcome } = result;
  const nothingThere = result.versionAfter === null && outcome !== "rollback_failed";
  if (registered && service === null && nothingThere) {
    // Registered by this deployment, and the host is unchanged.
    await registry.deregister(id);
    return false;
  }
  const moving = entry.state === "starting" || entry.state === "stopping";
  // Nothing was changed: its state and reason are still right.
  if (outcome !== "ok" && !result.changed && !moving) return true;
  const reason = reasonOf(result, deployment);
  const idle = instance.wasStopped && outcome !== "ok" ? "stopped" : "failed";
  if (service === null) {
    const lost = outcome === "rollback_failed" ||
      (result.versionAfter === null && result.versionBefore !== null);
    if (lost || moving) await advanceTo(registry, id, lost ? "failed" : idle, reason);
    return true;
  }
  const patch = {
    version: service.version,
    execution: executionOf(service),
    endpoints: endpointsOf(service.spec.ports, service.address),
    depends_on: service.manifest.dependsOn,
    location: await host.locate(),
  };
  await advanceTo(registry, id, service.status.running ? "running" : idle, reason, patch);
  const { health } = result;
  if (service.status.running && health !== null) {
    await registry.recordHealth(id, {
      ...health,
      message: health.message.slice(0, MAX_REASON_LENGTH),
    });
  }
  return true;
}

function reasonOf(
  result: HostResult,
  { deployment_id, kind }: Pick<Deployment, "deployment_id" | "kind">,
): string {
  const what = `${kind} ${deployment_id}`;
  if (result.outcome === "ok") return what;
  const why = result.error === null ? "" : `: ${result.error.message}`;
  return `${what} ${result.outcome.replace("_", " ")}${why}`.slice(0, MAX_REASON_LENGTH);
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

/** What the registry shows before the host has reported. */
function plannedExecution(manifest: Manifest, installRoot: string): Execution {
  const { name, service: { type } } = manifest;
  const dir = `${installRoot}/.harness/${name}/current`;
  const execution = driverFor({ type }).plannedEntry?.(manifest, dir);
  if (execution !== undefined) return execution;
  throw new Error(`no release can be run as ${type}`);
}

/** The execution as the registry shows it. */
export function executionOf(
  { spec: { execution }, status }: Pick<DeployedService, "spec" | "status">,
): Execution {
  return driverFor(execution).toEntry(execution, status);
}

/** The ports as endpoints at `address`. */
export function endpointsOf(ports: readonly ManifestPort[], address: string): Endpoint[] {
  const host = address.includes(":") ? `[${address}]` : address;
  return ports.map(({ name, port, protocol }) => ({
    name,
    address: `${host}:${port}`,
    protocol: KNOWN_PROTOCOLS.find((known) => known === protocol) ?? { custom: protocol },
    metadata: {},
  }));
}

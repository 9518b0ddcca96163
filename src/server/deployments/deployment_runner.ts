/**
 * Runs one deployment: publishes its progress, updates the registry, and records its outcome.
 *
 * @module
 */
import type { DeployFailure } from "../../model/deployment.ts";
import { getLogger } from "../../util/log.ts";
import { fleetStatus } from "../../deploy/fleet_status.ts";
import { hostLayout } from "../../deploy/host/layout.ts";
import type { DeployPlan, FoundHost, HostTarget } from "../../deploy/plan.ts";
import type { DeployProgress, DeployResult, HostResult } from "../../deploy/progress.ts";
import { HarnessError, toHarnessError } from "../../errors.ts";
import { releaseDirOf } from "../../lifecycle/service_spec.ts";
import { sanitizeName } from "../../package/names.ts";
import type { Deployment } from "../../protocol/actions.ts";
import type { Registry } from "../../registry/registry.ts";
import { admitInstance, applyProgress, type Instance, recordOutcome } from "./registry_sync.ts";
import type { DeploymentRecord, DeploymentRecords } from "./deployment_records.ts";
import type { HostConnections } from "../hosts/host_connections.ts";
import type { ServiceManager } from "../services/service_manager.ts";
import { advanceTo, isRunning } from "../services/entry_state.ts";

/** A queued or running deployment. */
export interface DeploymentJob {
  /** Its record. */
  record: DeploymentRecord;
  /** Its plan. */
  plan: DeployPlan;
  /** Resolves its hosts to instances, when it is its turn. */
  claim: () => Instance[];
  /** Those instances, once it runs. */
  instances: Instance[];
  /** Errors of the registry, by host. */
  trouble: Map<string, DeployFailure>;
  /** Cancels it. */
  abort: AbortController;
  /** Whether the server's shutdown cancelled it. */
  parked: boolean;
  /** Resolves when it has ended and is recorded. */
  done: Promise<void>;
}

/** Options for {@linkcode DeploymentRunner}. */
export interface DeploymentRunnerOptions {
  /** Receives states and events. */
  registry: Registry;
  /** Manages the deployed services. */
  services: ServiceManager;
  /** Where records are kept. */
  records: DeploymentRecords;
  /** Connections to hosts, which those of deployments join. */
  connections: HostConnections;
}

const WHAT_NEXT = "resume it to finish it, or roll back to undo it";

const log = getLogger(["harness", "server", "deployments"]);

/** Runs deployments. */
export class DeploymentRunner {
  readonly #options: DeploymentRunnerOptions;

  /** Keeps no state of its own. */
  constructor(options: DeploymentRunnerOptions) {
    this.#options = options;
  }

  /** Runs a deployment to its end. Rejects only when its end could not be recorded. */
  async run(job: DeploymentJob): Promise<void> {
    const { services } = this.#options;
    const { deployment } = job.record;
    job.instances = job.claim();
    const ids = job.record.ids = job.instances.map((instance) => instance.id);
    await services.reserve(ids, `${deployment.kind} ${deployment.deployment_id}`);
    try {
      deployment.status = "running";
      await this.#options.records.save(job.record);
      log.info("{kind} {id} of {service} by {by} begins", {
        ...namesOf(deployment),
        by: deployment.by ?? "an unknown client",
        hosts: ids.length,
      });
      const result = await this.#iterate(job);
      // No client cancelled it: `interrupted` asks for a resume.
      if (job.parked && result.status === "cancelled") {
        await this.#finish(job.record, "interrupted", `the server was shut down; ${WHAT_NEXT}`);
      } else await this.#finish(job.record, result.status);
    } catch (error) {
      // Not an outcome of a host: an invalid plan, or an error of our own storage.
      const { code, message, details } = toHarnessError(error);
      if (code === "internal") log.error("Deployment failed: {error}", { error });
      for (const host of deployment.hosts) {
        host.outcome ??= "failed";
        host.error ??= { code, message, ...(details === undefined ? {} : { details }) };
      }
      await this.#finish(job.record, "failed", message);
    } finally {
      await services.release(ids);
    }
  }

  /** Iterates the deployment and publishes its progress; the last event waits for {@linkcode #finish}. */
  async #iterate(job: DeploymentJob): Promise<DeployResult> {
    const { registry } = this.#options;
    const instances = new Map(job.instances.map(({ id, host }) => [host.label, id]));
    const admit = async ({ label }: HostTarget, { place }: FoundHost) => {
      const instance = job.instances.find((i) => i.host.label === label);
      if (instance === undefined) return;
      await this.#admit(job, instance, place);
      instances.set(label, instance.id);
    };
    const { deploy } = await import("../../deploy/deploy.ts");
    const hosts = job.plan.hosts.map((host) => this.#keeping(job, host));
    const plan = { ...job.plan, hosts, instances, admit };
    const steps = deploy(plan, { signal: job.abort.signal });
    try {
      for (;;) {
        const next = await steps.next();
        if (next.done === true) return withTrouble(next.value, job);
        const progress = next.value;
        if (progress.host === null) continue;
        const instance = job.instances.find((i) => i.host.label === progress.host);
        if (instance === undefined) continue;
        const { result, ...data } = progress;
        this.#note(job.record, progress);
        await this.#ownTrouble(job, progress.host, async () => {
          await applyProgress(registry, instance, progress);
          // The registry must be up to date before "finish" is published.
          if (result !== undefined) await this.#settle(job, result);
        });
        await registry.publish({
          event: "deployment_progress",
          data: { ...data, id: instance.id },
        });
      }
    } finally {
      // After an error of our own storage: hosts in flight are rolled back before anything else may change them.
      await steps.return(undefined as never);
    }
  }

  /** A host whose connection is kept for the service that is deployed there. */
  #keeping(job: DeploymentJob, host: HostTarget): HostTarget {
    const key = job.instances.find((i) => i.host.label === host.label)?.host.key;
    if (key === undefined) return host;
    return { ...host, keep: (executor) => this.#options.connections.adopt(key, executor) };
  }

  /** Finds the instance of a host that has answered, and registers a new one. */
  async #admit(job: DeploymentJob, instance: Instance, place: string): Promise<void> {
    const { services, registry } = this.#options;
    const { deployment } = job.record;
    const there = services.placements.placedAt(sanitizeName(deployment.service), place);
    if (there !== null && there !== instance.id) {
      // The same machine by another name: its service has an entry already.
      instance.id = there;
      instance.input = null;
      job.record.ids.push(there);
      await services.reserve([there], `${deployment.kind} ${deployment.deployment_id}`);
    }
    this.#assertSameRoot(instance, deployment.service, place);
    await admitInstance(registry, instance);
  }

  /** Refuses to deploy beside a service below another install root of the machine: it would run on without an entry. */
  #assertSameRoot({ id, host }: Instance, service: string, place: string): void {
    const { services, registry } = this.#options;
    const before = services.placements.deployedAs(id);
    const { base } = hostLayout(host.installRoot, service);
    if (before === null || before.place === place) return;
    if (before.spec.runDir.startsWith(`${base}/`) || !isRunning(registry.get(id))) return;
    const releaseDir = releaseDirOf(before.spec);
    throw new HarnessError(
      "conflict",
      `Cannot deploy ${service} to ${host.label}: it runs there below another install root (${releaseDir}); ` +
        "stop it first, or deploy below that root",
      { details: { reason: "occupied", occupant: { kind: "process", ours: false, releaseDir } } },
    );
  }

  /** An error of the registry about one host becomes that host's outcome, and the others continue. */
  async #ownTrouble(job: DeploymentJob, host: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const known = toHarnessError(error);
      if (["internal", "storage_unavailable"].includes(known.code)) throw error;
      const { code, message, details } = known;
      job.trouble.set(host, { code, message, ...(details === undefined ? {} : { details }) });
      log.warn("Cannot record {host}: {why}", { host, why: message });
    }
    const trouble = job.trouble.get(host);
    const shown = job.record.deployment.hosts.find((h) => h.host === host);
    if (trouble === undefined || shown === undefined || shown.outcome === null) return;
    if (shown.outcome === "ok") Object.assign(shown, { outcome: "failed", error: trouble });
  }

  /** Records the progress of a host, for `get_deployment`. */
  #note(record: DeploymentRecord, progress: DeployProgress): void {
    const host = record.deployment.hosts.find((h) => h.host === progress.host);
    if (host === undefined) return;
    if (progress.step !== "finish") {
      host.step = progress.step;
      host.started_at ??= progress.at;
    } else if (host.started_at !== undefined) host.finished_at = progress.at;
    if (progress.error !== undefined) host.error ??= progress.error;
    if (progress.outcome !== undefined) host.outcome = progress.outcome;
  }

  async #settle(job: DeploymentJob, result: HostResult): Promise<void> {
    const { registry, services } = this.#options;
    const { deployment } = job.record;
    const instance = job.instances.find((i) => i.host.label === result.host);
    const shown = deployment.hosts.find((h) => h.host === result.host);
    if (instance === undefined || shown === undefined) return;
    shown.outcome = result.outcome;
    shown.step = result.step;
    if (result.error !== null) shown.error = result.error;
    if (result.outcome === "ok") delete shown.error;
    deployment.version ??= result.versionAfter;
    const before = stateOf(registry, instance.id);
    const remains = await recordOutcome(registry, instance, result, deployment);
    // The deployment decides its state now: restarts that were due for the earlier one are void.
    if (stateOf(registry, instance.id) !== before) await services.forgetRestarts(instance.id);
    if (remains && result.service !== null) {
      await services.placements.put({
        id: instance.id,
        target: instance.host.target,
        become: instance.host.become ?? null,
        place: result.service.place,
        manager: result.service.manager,
        spec: result.service.spec,
        origin: "deployed",
      });
    }
  }

  async #finish(
    record: DeploymentRecord,
    status: Deployment["status"],
    message?: string,
  ): Promise<void> {
    const { deployment } = record;
    deployment.status = status;
    deployment.finished_at = new Date().toISOString();
    await this.#options.records.save(record);
    // Only names are logged: output of hosts and services is in the record.
    const names = namesOf(deployment);
    if (status === "succeeded") log.info("{kind} {id} of {service} ended: {status}", names);
    else log.warn("{kind} {id} of {service} ended: {status}", names);
    await this.#options.registry.publish({
      event: "deployment_progress",
      data: {
        deployment_id: deployment.deployment_id,
        service: deployment.service,
        id: null,
        host: null,
        step: "finish",
        status: status === "succeeded" ? "done" : "failed",
        deployment_status: status,
        ...(message === undefined ? {} : { message }),
        at: deployment.finished_at,
      },
    });
  }

  /** Ends a record that a crash left unfinished. */
  async interrupt(record: DeploymentRecord): Promise<void> {
    const { registry, services } = this.#options;
    const { deployment } = record;
    const id = deployment.deployment_id;
    const message = `the server stopped while it ran; ${WHAT_NEXT}`;
    for (const host of deployment.hosts) {
      if (host.outcome === null) host.error ??= { code: "unavailable", message };
    }
    for (const entry of record.ids.map((one) => registry.ofId(one))) {
      if (entry === undefined) continue;
      // Placed instances are adopted by the service manager. The others were starting for the first time.
      const moving = entry.state === "starting" || entry.state === "stopping";
      if (!moving || services.ownership.isPlaced(entry.id)) continue;
      await advanceTo(registry, entry.id, "failed", `deploy ${id} interrupted: ${message}`);
    }
    await this.#finish(record, "interrupted", message);
  }
}

/** The result, with the hosts that the registry refused as failed ones. */
function withTrouble(result: DeployResult, { trouble, plan, abort }: DeploymentJob): DeployResult {
  if (trouble.size === 0) return result;
  const hosts = result.hosts.map((host): HostResult => {
    const error = trouble.get(host.host);
    return error === undefined || host.outcome !== "ok"
      ? host
      : { ...host, outcome: "failed", error };
  });
  const status = fleetStatus(hosts.map((host) => host.outcome), {
    cancelled: abort.signal.aborted,
    skipUnreachable: plan.strategy?.onUnreachable === "skip",
  });
  return { ...result, hosts, status };
}

/** The fields of a deployment for log lines. */
function namesOf({ kind, deployment_id, service, version, status }: Deployment) {
  return { kind, id: deployment_id, service, status, version };
}

/** Identity of an instance's present state; `undefined` for one that is not registered. */
function stateOf(registry: Registry, id: string): string | undefined {
  const entry = registry.ofId(id);
  return entry && `${entry.last_state_change} ${entry.state_reason}`;
}

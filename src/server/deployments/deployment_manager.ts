/**
 * Runs and records deployments: started by a client, independent of its connection, and one at a time per service.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { Semaphore } from "../../util/mutex.ts";
import type { DeployPackagePlan, DeployPlan, RollbackPlan } from "../../deploy/plan.ts";
import { HarnessError } from "../../errors.ts";
import {
  DEPLOY_PARK_TIMEOUT_MS,
  MAX_QUEUED_DEPLOYMENTS,
  MAX_RUNNING_DEPLOYMENTS,
} from "../limits.ts";
import type { ActionParams, Deployment, Target } from "../../protocol/actions.ts";
import type { ServiceEntry } from "../../model/service.ts";
import { KeyedMutex } from "../../util/keyed_mutex.ts";
import type { Registry } from "../../registry/registry.ts";
import {
  type CallContext,
  callerText,
  type CheckedPackage,
  type Deployments,
  type DocumentStore,
  type Packages,
} from "../backends.ts";
import { checkDependencies, claimInstances, type Instance } from "./registry_sync.ts";
import { dependencyEnv } from "./dependency_env.ts";
import { type DeploymentRecord, DeploymentRecords } from "./deployment_records.ts";
import { type DeploymentJob, DeploymentRunner } from "./deployment_runner.ts";
import { newRecord, resumeParams, strategyOf, withSecretsApart } from "./deployment_request.ts";
import type { HostConnections } from "../hosts/host_connections.ts";
import { type Host, type HostDirectory, sameLocation } from "../hosts/host_directory.ts";
import type { ServiceManager } from "../services/service_manager.ts";
import { requireCovered } from "../access/scope.ts";
import { settleWithin } from "../../util/async.ts";

/** Options for {@linkcode DeploymentManager.open}. */
export interface DeploymentManagerOptions {
  /** Where services are registered and events are published. */
  registry: Registry;
  /** Where packages come from. */
  packages: Packages;
  /** Where records are kept. */
  documents: DocumentStore;
  /** Finds hosts. */
  hosts: HostDirectory;
  /** Manages the deployed services. */
  services: ServiceManager;
  /** Connections to hosts. */
  connections: HostConnections;
}

const log = getLogger(["harness", "server", "deployments"]);

/** The client of a request. */
type Caller = Pick<CallContext, "by" | "address" | "scope">;

/** The client for calls of the embedding program. */
const SELF: Caller = { by: "server" };

/** Runs and records deployments. */
export class DeploymentManager implements Deployments {
  readonly #options: DeploymentManagerOptions;
  readonly #records: DeploymentRecords;
  readonly #runner: DeploymentRunner;
  readonly #jobs = new Map<string, DeploymentJob>();
  readonly #perService = new KeyedMutex();
  readonly #slots = new Semaphore(MAX_RUNNING_DEPLOYMENTS);
  #parked = false;

  private constructor(options: DeploymentManagerOptions, records: DeploymentRecords) {
    this.#options = options;
    this.#records = records;
    this.#runner = new DeploymentRunner({ ...options, records });
  }

  /** Loads the records; deployments cut off by a crash become `interrupted`, with an event. */
  static async open(options: DeploymentManagerOptions): Promise<DeploymentManager> {
    const manager = new DeploymentManager(
      options,
      await DeploymentRecords.load(options.documents),
    );
    for (const record of manager.#records.newestFirst()) {
      if (record.deployment.finished_at === null) await manager.#runner.interrupt(record);
    }
    return manager;
  }

  /** Starts a deployment; see `deploy_package` in docs/protocol.md. */
  async deploy(
    params: ActionParams<"deploy_package">,
    { by, scope }: Caller = SELF,
  ): Promise<{ deployment_id: string }> {
    const { packages, hosts: directory } = this.#options;
    const { path, info } = await packages.resolve(params.package);
    const checked = await (packages.check?.(info.file) ?? readManifest(path));
    const { manifest, sha256, size, prefixes } = checked;
    requireCovered(scope, manifest.name);
    if (params.sha256 !== undefined && params.sha256 !== sha256) {
      throw new HarnessError(
        "conflict",
        `Cannot deploy ${info.file}: its SHA-256 is ${sha256}, not ${params.sha256} as requested`,
        { details: { sha256 } },
      );
    }
    const variables = withSecretsApart(manifest, params);
    const hosts = resolveHosts(directory, params.targets ?? [params.target ?? "local"]);
    const record = newRecord({
      kind: "deploy",
      by,
      package: info.file,
      service: manifest.name,
      version: manifest.version,
      sha256,
      hosts,
      params: { ...params, ...variables },
    });
    const repeated = this.#repeated(record);
    if (repeated !== null) return repeated;
    const { registry } = this.#options;
    checkDependencies(registry, manifest);
    const plan: DeployPackagePlan = {
      kind: "deploy",
      deploymentId: record.deployment.deployment_id,
      hosts,
      ...variables,
      dependencyEnv: dependencyEnv(registry, manifest.dependsOn, (id) => {
        return this.#options.services.ownership.isTrusted(id);
      }),
      strategy: strategyOf(params.strategy),
      force: params.force ?? false,
      package: {
        open: async () => (await packages.get(info.file)).body,
        file: info.file,
        sha256,
        size,
        manifest,
        ...(prefixes === undefined ? {} : { inspected: { sha256, size, prefixes } }),
      },
    };
    return await this.#enqueue(record, plan, () => claimInstances(registry, manifest, hosts));
  }

  /** Starts a rollback; see `rollback_service` in docs/protocol.md. */
  async rollback(
    params: ActionParams<"rollback_service">,
    { by, scope }: Caller = SELF,
  ): Promise<{ deployment_id: string }> {
    const { registry, hosts: directory, services } = this.#options;
    const entries = registry.list({ name: params.name });
    const chosen = entries.length > 0 ? entries : [registry.get(params.name)];
    const name = chosen[0]?.name ?? params.name;
    requireCovered(scope, name);
    const targets = params.targets ?? chosen.map((entry) => services.targetOf(entry));
    const hosts = resolveHosts(directory, targets);
    const record = newRecord({
      kind: "rollback",
      by,
      package: name,
      service: name,
      version: params.version ?? null,
      sha256: null,
      hosts,
      params,
    });
    const plan: RollbackPlan = {
      kind: "rollback",
      deploymentId: record.deployment.deployment_id,
      hosts,
      package: { name, ...(params.version === undefined ? {} : { version: params.version }) },
    };
    const instances = hosts.map((host) => {
      const isThere = (e: ServiceEntry) =>
        sameLocation(directory.resolve(services.targetOf(e)).location, host.location);
      const known = chosen.find(isThere);
      if (known !== undefined) {
        return { id: known.id, host, input: null, wasStopped: known.state === "stopped" };
      }
      throw new HarnessError(
        "not_found",
        `Cannot roll ${name} back on ${host.label}: it is not registered there`,
        { details: { service: name, host: host.label } },
      );
    });
    return await this.#enqueue(record, plan, () => instances);
  }

  /** Repeats an ended deployment on the hosts where it did not succeed; see `resume_deployment`. */
  async resume(
    params: ActionParams<"resume_deployment">,
    context: Caller = SELF,
  ): Promise<{ deployment_id: string }> {
    const record = this.#find(params.deployment_id);
    const { kind, service, version } = record.deployment;
    const again = resumeParams(record, params.secrets ?? {});
    if (kind === "rollback") {
      const to = version === null ? {} : { version };
      return await this.rollback({ name: service, targets: again.targets, ...to }, context);
    }
    const { info } = await this.#options.packages.resolve(again.package);
    if (info.sha256 === record.sha256) return await this.deploy(again, context);
    throw new HarnessError(
      "conflict",
      `Cannot resume ${params.deployment_id}: ${info.file} differs from what it deployed`,
      { details: { deployment_id: params.deployment_id, file: info.file } },
    );
  }

  /** One deployment. */
  get(params: ActionParams<"get_deployment">): Promise<Deployment> {
    return Promise.resolve(this.#find(params.deployment_id).deployment);
  }

  /** All kept deployments, newest first. */
  list(params: ActionParams<"list_deployments">): Promise<Deployment[]> {
    const all = this.#records.newestFirst().map((record) => record.deployment);
    const matching = params.service === undefined
      ? all
      : all.filter((deployment) => deployment.service === params.service);
    return Promise.resolve(matching.slice(0, params.limit ?? matching.length));
  }

  /** Cancels; hosts in flight are rolled back. Does nothing when the deployment has ended. */
  cancel(
    params: ActionParams<"cancel_deployment">,
    context: Caller = SELF,
  ): Promise<Deployment> {
    const { deployment } = this.#find(params.deployment_id);
    const job = this.#jobs.get(params.deployment_id);
    if (job !== undefined) {
      const { kind, service, status } = deployment;
      const names = { kind, id: params.deployment_id, service, status, by: callerText(context) };
      log.info("{kind} {id} of {service} is cancelled by {by}", names);
      job.abort.abort(new HarnessError("cancelled", "The deployment was cancelled by a client"));
    }
    return Promise.resolve(deployment);
  }

  /** Rolls back what is in flight, with a timeout; what did not finish is `interrupted`. */
  async park(timeoutMs: number = DEPLOY_PARK_TIMEOUT_MS): Promise<void> {
    this.#parked = true;
    const jobs = [...this.#jobs.values()];
    for (const job of jobs) {
      if (!job.abort.signal.aborted) job.parked = true;
      job.abort.abort(new HarnessError("cancelled", "The server is shutting down"));
    }
    await settleWithin(Promise.allSettled(jobs.map((job) => job.done)), timeoutMs);
  }

  #find(deploymentId: string): DeploymentRecord {
    const record = this.#records.get(deploymentId);
    if (record !== undefined) return record;
    throw new HarnessError(
      "not_found",
      `Cannot find deployment "${deploymentId}": there is none of this id, or it is no longer kept`,
      { details: { reason: "deployment_unknown", deployment_id: deploymentId } },
    );
  }

  /** The answer to an earlier request with the same idempotency key, or `null`. */
  #repeated(record: DeploymentRecord): { deployment_id: string } | null {
    const key = record.idempotency_key;
    const earlier = key === null ? undefined : this.#records.byIdempotencyKey(key);
    if (earlier === undefined) return null;
    const deployment_id = earlier.deployment.deployment_id;
    if (earlier.fingerprint === record.fingerprint) return { deployment_id };
    throw new HarnessError(
      "conflict",
      `Cannot deploy: the idempotency key was used for another request, ${deployment_id}; choose a new key`,
      { details: { reason: "idempotency_key_used", deployment_id } },
    );
  }

  async #enqueue(
    record: DeploymentRecord,
    plan: DeployPlan,
    claim: () => Instance[],
  ): Promise<{ deployment_id: string }> {
    const { deployment } = record;
    if (this.#parked) {
      throw new HarnessError("unavailable", "Cannot deploy: the server is shutting down");
    }
    if (this.#jobs.size >= MAX_RUNNING_DEPLOYMENTS + MAX_QUEUED_DEPLOYMENTS) {
      throw new HarnessError(
        "unavailable",
        `Too many deployments: ${this.#jobs.size} are running or queued; try again later`,
      );
    }
    await this.#records.add(record);
    const job: DeploymentJob = {
      record,
      plan,
      claim,
      instances: [],
      trouble: new Map(),
      abort: new AbortController(),
      parked: false,
      done: Promise.resolve(),
    };
    this.#jobs.set(deployment.deployment_id, job);
    const turn = () => this.#slots.runExclusive(() => this.#runner.run(job));
    job.done = this.#perService.run(deployment.service, turn)
      .catch((error) =>
        log.error("Deployment {id} could not be recorded: {error}", {
          id: plan.deploymentId,
          error,
        })
      )
      .finally(() => this.#jobs.delete(deployment.deployment_id));
    return { deployment_id: deployment.deployment_id };
  }
}

/** The hosts of the targets; each machine only once, since two logins on it are one instance. */
function resolveHosts(directory: HostDirectory, targets: readonly Target[]): Host[] {
  const hosts: Host[] = [];
  for (const target of targets) {
    const host = directory.resolve(target);
    const twice = hosts.find((other) =>
      other.label === host.label || sameLocation(other.location, host.location)
    );
    if (twice !== undefined) {
      const same = twice.label === host.label ? "" : ` (it is the machine of ${twice.label})`;
      throw new HarnessError(
        "invalid_params",
        `Cannot deploy: the target ${host.label} is given twice${same}`,
        { details: { host: host.label, same_as: twice.label } },
      );
    }
    hosts.push(host);
  }
  return hosts;
}

/** The manifest of a package file, where the store of packages does not check it. */
async function readManifest(path: string): Promise<CheckedPackage> {
  const { inspectPackage } = await import("../../package/read.ts");
  return await inspectPackage(path);
}

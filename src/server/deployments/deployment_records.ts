/**
 * Persistent records of deployments, one small document each.
 *
 * A record has what is needed to show, resume and undo a deployment; never a secret.
 *
 * @module
 */
import { MAX_KEPT_DEPLOYMENTS } from "../limits.ts";
import type { Deployment, StrategySpec, TargetSpec } from "../../protocol/actions.ts";
import { COLLECTIONS, type DocumentStore } from "../backends.ts";

const COLLECTION = COLLECTIONS.deployments;

/** A deployment and its request. */
export interface DeploymentRecord {
  /** The part that clients see. */
  deployment: Deployment;
  /** The hosts as targets, in the order of `deployment.hosts`. */
  targets: Array<"local" | TargetSpec>;
  /** The instance of each host in the registry, in the same order. */
  ids: string[];
  /** Plain environment of the request. */
  env: Record<string, string>;
  /** Names of the secrets of the request; their values are not kept. */
  secret_names: string[];
  /** Strategy of the request. */
  strategy: StrategySpec;
  /** Digest of the package, so that a resumed deployment cannot deploy other bytes. */
  sha256: string | null;
  /** The request's idempotency key, or `null`. */
  idempotency_key: string | null;
  /** Fingerprint of the request, to detect another request with the same idempotency key. */
  fingerprint: string;
}

/** All kept deployments, in memory and on disk. */
export class DeploymentRecords {
  readonly #documents: DocumentStore;
  /** In the order in which they began. */
  readonly #byId = new Map<string, DeploymentRecord>();

  private constructor(documents: DocumentStore) {
    this.#documents = documents;
  }

  /** Loads the records of earlier runs of the server. */
  static async load(documents: DocumentStore): Promise<DeploymentRecords> {
    const records = new DeploymentRecords(documents);
    const loaded = (await documents.list(COLLECTION)).map((d) => d.value as DeploymentRecord);
    loaded.sort((a, b) => a.deployment.started_at < b.deployment.started_at ? -1 : 1);
    for (const record of loaded) records.#byId.set(record.deployment.deployment_id, record);
    return records;
  }

  /** One record. */
  get(deploymentId: string): DeploymentRecord | undefined {
    return this.#byId.get(deploymentId);
  }

  /** All records, newest first. */
  newestFirst(): DeploymentRecord[] {
    return [...this.#byId.values()].reverse();
  }

  /** The record of a request with this idempotency key. */
  byIdempotencyKey(key: string): DeploymentRecord | undefined {
    return this.newestFirst().find((record) => record.idempotency_key === key);
  }

  /** Adds a record and drops the oldest ended ones beyond the limit. */
  async add(record: DeploymentRecord): Promise<void> {
    this.#byId.set(record.deployment.deployment_id, record);
    await this.save(record);
    for (const [id, old] of this.#byId) {
      if (this.#byId.size <= MAX_KEPT_DEPLOYMENTS) break;
      if (old.deployment.finished_at === null) continue;
      this.#byId.delete(id);
      await this.#documents.remove(COLLECTION, id);
    }
  }

  /** Writes a record that changed. */
  async save(record: DeploymentRecord): Promise<void> {
    await this.#documents.put(COLLECTION, record.deployment.deployment_id, record);
  }
}

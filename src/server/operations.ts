/**
 * What starts, supervises and deploys services: half of the server's modules, which a server that only keeps a registry
 * never needs. They are loaded by the first request that does, or at the start where there is something to take up again.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { Registry } from "../registry/registry.ts";
import type { VouchedEntries } from "./access/vouched_entries.ts";
import {
  COLLECTIONS,
  type Deployments,
  type DocumentStore,
  type Packages,
  type Services,
} from "./backends.ts";
import type { DeploymentManager } from "./deployments/deployment_manager.ts";
import { settleWithin } from "../util/async.ts";
import { HostConnections } from "./hosts/host_connections.ts";
import type { HostDirectory } from "./hosts/host_directory.ts";
import { HOSTS_CLOSE_GRACE_MS } from "./limits.ts";
import type { ServiceManager } from "./services/service_manager.ts";

/** Options for `openControlPlane()`. */
export interface ControlPlaneOptions {
  /** Where services are registered and events are published. Closed by its owner, after the control plane. */
  registry: Registry;
  /** Where packages come from. */
  packages: Packages;
  /** Where deployments and placements are kept. */
  documents: DocumentStore;
  /** Finds hosts. */
  hosts: HostDirectory;
  /** Writable directory on this machine for pid files and logs of services without a package. */
  localRunRoot: string;
}

/** What {@linkcode Operations} works with. */
interface OperationsOptions extends ControlPlaneOptions {
  /** Entries that were registered with the token. */
  readonly vouched: VouchedEntries;
}

interface Managers {
  readonly services: ServiceManager;
  readonly deployments: DeploymentManager;
}

/** Both managers, opened once they are needed. */
export class Operations {
  readonly #options: OperationsOptions;
  readonly #connections = new HostConnections();
  #opening: Promise<Managers> | null = null;
  #opened: Managers | null = null;
  #closed = false;

  /** Opens nothing yet. */
  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  /** Takes up what an earlier server left: services are supervised again, interrupted deployments are listed. */
  async resume(): Promise<void> {
    for (const collection of Object.values(COLLECTIONS)) {
      if ((await this.#options.documents.list(collection)).length === 0) continue;
      await this.#managers();
      return;
    }
  }

  /** Starts, stops and supervises services, and reads their logs. */
  readonly services: Services = {
    act: async (...call) => await (await this.#managers()).services.act(...call),
    logs: async (...call) => await (await this.#managers()).services.logs(...call),
    follow: (id, signal) => this.#follow(id, signal),
    ownership: {
      // Until something was started or deployed, nothing is the server's own.
      manages: (id) => this.#opened?.services.ownership.manages(id) ?? false,
      managesName: (name) => this.#opened?.services.ownership.managesName(name) ?? false,
    },
  };

  /** Deploys and rolls back. */
  readonly deployments: Deployments = {
    deploy: async (...call) => await (await this.#managers()).deployments.deploy(...call),
    get: async (...call) => await (await this.#managers()).deployments.get(...call),
    list: async (...call) => await (await this.#managers()).deployments.list(...call),
    cancel: async (...call) => await (await this.#managers()).deployments.cancel(...call),
    resume: async (...call) => await (await this.#managers()).deployments.resume(...call),
    rollback: async (...call) => await (await this.#managers()).deployments.rollback(...call),
  };

  /** Rolls running deployments back, within a timeout. Idempotent. */
  async park(timeoutMs?: number): Promise<void> {
    this.#closed = true;
    await this.#opening?.then(({ deployments }) => deployments.park(timeoutMs), () => {});
  }

  /** Closes the connections to hosts; services keep running. */
  async close(): Promise<void> {
    await this.park();
    const ended = this.#opened?.services[Symbol.asyncDispose]() ?? Promise.resolve();
    // What runs on a silent host ends only with its connection.
    await settleWithin(ended, HOSTS_CLOSE_GRACE_MS);
    await this.#connections[Symbol.asyncDispose]();
    await ended;
  }

  async *#follow(id: string, signal: AbortSignal): AsyncGenerator<string> {
    yield* (await this.#managers()).services.follow(id, signal);
  }

  #managers(): Promise<Managers> {
    if (this.#opening !== null) return this.#opening;
    if (this.#closed) {
      return Promise.reject(
        new HarnessError("unavailable", "Cannot do this: the server is shutting down"),
      );
    }
    this.#opening = this.#open();
    // The next request tries again: in vain, on Deno, where it was a module that could not be loaded.
    this.#opening.catch(() => this.#opening = null);
    return this.#opening;
  }

  async #open(): Promise<Managers> {
    const options = { ...this.#options, connections: this.#connections };
    const { ServiceManager } = await import("./services/service_manager.ts");
    const { DeploymentManager } = await import("./deployments/deployment_manager.ts");
    const services = await ServiceManager.open(options);
    try {
      const deployments = await DeploymentManager.open({ ...options, services });
      return this.#opened = { services, deployments };
    } catch (error) {
      await services[Symbol.asyncDispose]();
      throw error;
    }
  }
}

/**
 * Deployment and lifecycle put together: the two backends that a full server needs.
 *
 * @module
 */
import type { Registry } from "../registry/registry.ts";
import type { Deployments, Packages, Services } from "./backends.ts";
import { DeploymentManager } from "./deployments/deployment_manager.ts";
import type { DocumentStore } from "./document_store.ts";
import { HostConnections } from "./hosts/host_connections.ts";
import type { HostDirectory } from "./hosts/host_directory.ts";
import { ServiceManager } from "./services/service_manager.ts";
import type { VouchedEntries } from "./access/vouched_entries.ts";

/** What {@linkcode openControlPlane} works with. */
export interface ControlPlaneOptions {
  /** Where services are registered and events are published. */
  registry: Registry;
  /** Where packages come from. */
  packages: Packages;
  /** Where deployments and placements are remembered. */
  documents: DocumentStore;
  /** Finds hosts. */
  hosts: HostDirectory;
  /** Writable directory on this machine for pid files and logs of services without a package. */
  localRunRoot: string;
  /** Which entries were registered with the token. @default {all count as such} */
  vouched?: VouchedEntries | undefined;
}

/** The backends of a full server. */
export interface ControlPlane extends AsyncDisposable {
  /** Starts, stops and reads the logs of services. */
  readonly services: Services;
  /** Deploys and rolls back. */
  readonly deployments: Deployments;
  /** Lets running deployments roll back, for a while; a shutdown does so while clients are told. Idempotent. */
  park(timeoutMs?: number): Promise<void>;
}

/**
 * Opens both backends over what an earlier server left. Disposing parks running deployments and closes the
 * connections; services go on.
 */
export async function openControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const connections = new HostConnections();
  const services = await ServiceManager.open({ ...options, connections });
  const deployments = await DeploymentManager.open({ ...options, services });
  return {
    services,
    deployments,
    park: (timeoutMs) => deployments.park(timeoutMs),
    async [Symbol.asyncDispose]() {
      await deployments.park();
      await services[Symbol.asyncDispose]();
      await connections[Symbol.asyncDispose]();
    },
  };
}

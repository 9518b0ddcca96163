/**
 * Joins registry, packages, hosts, deployments and supervision into what {@linkcode serve} needs for a full server.
 *
 * @module
 */
import type { Registry } from "../registry/registry.ts";
import { VouchedEntries } from "./access/vouched_entries.ts";
import type { Deployments, Packages, Services } from "./backends.ts";
import { type ControlPlaneOptions, Operations } from "./operations.ts";

/** The backends of a full server: spread them into the options of {@linkcode serve}. */
export interface ControlPlane extends AsyncDisposable {
  /** The registry it was opened with. */
  readonly registry: Registry;
  /** The packages it was opened with. */
  readonly packages: Packages;
  /** Starts, stops and supervises services, and reads their logs. */
  readonly services: Services;
  /** Deploys and rolls back. */
  readonly deployments: Deployments;
  /** Entries that were registered with the token. */
  readonly vouched: VouchedEntries;
  /** Rolls running deployments back, within a timeout; a shutdown does so while it notifies clients. Idempotent. */
  park(timeoutMs?: number): Promise<void>;
  /** Parks deployments and closes the connections to hosts; services keep running. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens the backends of a full server and resumes what an earlier one left: running services are supervised again,
 * interrupted deployments are listed.
 *
 * @example A full server
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   Documents,
 *   FileStore,
 *   openControlPlane,
 *   PackageStore,
 *   Registry,
 *   serve,
 *   sshHostDirectory,
 * } from "@harness/service-registry";
 * import { mkdtemp, rm } from "node:fs/promises";
 *
 * const dir = await mkdtemp("/tmp/harness-");
 * {
 *   await using registry = await Registry.open(new FileStore({ dir }));
 *   await using controlPlane = await openControlPlane({
 *     registry,
 *     packages: await PackageStore.open(`${dir}/packages`),
 *     documents: new Documents({ dir }),
 *     hosts: sshHostDirectory({ become: "sudo" }),
 *     localRunRoot: `${dir}/run`,
 *   });
 *   await using server = await serve({ ...controlPlane, port: 0 });
 *   assert.match(server.url, /^ws:/);
 * }
 * await rm(dir, { recursive: true });
 * ```
 */
export async function openControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { registry, packages, documents } = options;
  const vouched = await VouchedEntries.load(documents, (id) => registry.has(id));
  const operations = new Operations({ ...options, vouched });
  const closeAll = async () => {
    await operations.close();
    await vouched[Symbol.asyncDispose]();
  };
  await operations.resume().catch(async (error) => {
    await closeAll();
    throw error;
  });
  const { services, deployments } = operations;
  let closing: Promise<void> | undefined;
  const close = () => closing ??= closeAll();
  return {
    registry,
    packages,
    services,
    deployments,
    vouched,
    park: (timeoutMs) => operations.park(timeoutMs),
    close,
    [Symbol.asyncDispose]: close,
  };
}

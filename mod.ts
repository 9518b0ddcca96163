/**
 * A control plane for services on plain Linux hosts: a durable registry, a WebSocket protocol with live,
 * resumable events, packages, deployment over SSH, and the lifecycle of what was deployed.
 *
 * This entry has what a whole server is made of. The rooms are entries of their own: `./client` (also for browsers),
 * `./protocol`, `./registry`, `./server` (parts for a listener of your own), `./package`, `./deploy`, `./executor`,
 * `./lifecycle`, and `./cli`, the program.
 *
 * @example A registry behind a server, and a client of it
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryStore, Registry, serve } from "@harness/service-registry";
 * import { RegistryClient } from "@harness/service-registry/client";
 *
 * await using registry = await Registry.open(new MemoryStore());
 * await using server = await serve({ registry, port: 0 });
 * await using client = await RegistryClient.connect(server.url);
 *
 * await client.call("register_service", {
 *   service: {
 *     name: "web",
 *     version: "1.0.0",
 *     execution: { type: "managed_process", command: "/usr/bin/web" },
 *     endpoints: [{ name: "http", address: "127.0.0.1:8000", protocol: "http" }],
 *   },
 * });
 * assert.equal((await client.call("get_service", { name: "web" })).state, "registered");
 * ```
 *
 * @module
 */
// Loaded with the first input elsewhere; here at once: a program with few permissions may read no file later.
import * as requests from "./src/protocol/requests.ts";
import * as validate from "./src/registry/input/validate.ts";
void [requests, validate];

export { ERROR_CODES, HarnessError, isErrorCode, isRetryable } from "./src/errors.ts";
export type { ErrorCode, HarnessErrorOptions } from "./src/errors.ts";

// The registry, and where it is kept.
export { Registry, type RegistryOptions } from "./src/registry/registry.ts";
export type {
  EndpointInput,
  ExecutionInput,
  LocationInput,
  ServiceEntry,
  ServiceInput,
} from "./src/model/service.ts";
export type { RegistryEvent } from "./src/model/event.ts";
export type { Disk, DiskFile } from "./src/storage/disk.ts";
export { Documents } from "./src/storage/documents.ts";
export type { DocumentsOptions, StoredDocument } from "./src/storage/documents.ts";
export { FileStore } from "./src/storage/file_store.ts";
export type { FileStoreOptions, FileStoreTuning } from "./src/storage/file_store.ts";
export { DURABILITIES, type Durability } from "./src/storage/durability.ts";
export { MemoryStore } from "./src/storage/memory_store.ts";
export type { MemoryStoreOptions } from "./src/storage/memory_store.ts";

// The server.
export { openControlPlane } from "./src/server/control_plane.ts";
export type { ControlPlane } from "./src/server/control_plane.ts";
export type { ControlPlaneOptions } from "./src/server/operations.ts";
export { sshHostDirectory } from "./src/server/hosts/ssh_directory.ts";
export type { SshHostDirectoryOptions } from "./src/server/hosts/ssh_directory.ts";
export { PackageStore } from "./src/server/packages/package_store.ts";
export type { PackageStoreOptions } from "./src/server/packages/package_store.ts";
export { serve } from "./src/server/serve.ts";
export type { ServeOptions, WsServer } from "./src/server/serve.ts";

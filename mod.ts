/**
 * A control plane for services on plain Linux hosts: a durable registry, a WebSocket protocol with live,
 * resumable events, packages, deployment over SSH, and the lifecycle of what was deployed.
 *
 * Everything the binary does is here as a library. The client alone, for browsers and other runtimes, is
 * the entry `./client`.
 *
 * @example A registry behind a server, and a client of it
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryStore, Registry, RegistryClient, serve } from "@harness/service-registry";
 *
 * await using registry = await Registry.open(new MemoryStore());
 * await using server = await serve({ registry, port: 0 });
 * await using client = await RegistryClient.connect(server.url);
 *
 * await client.call("register_service", {
 *   service: {
 *     name: "web",
 *     version: "1.0.0",
 *     execution: { type: "managed_process", command: "/usr/bin/web", args: [], pid: null },
 *     endpoints: [{ name: "http", address: "127.0.0.1:8000", protocol: "http", metadata: {} }],
 *   },
 * });
 * assert.equal((await client.call("get_service", { name: "web" })).state, "registered");
 * ```
 *
 * @module
 */
export { ERROR_CODES, HarnessError, isErrorCode, isRetryable } from "./src/errors.ts";
export type { ErrorCode, HarnessErrorOptions } from "./src/errors.ts";

export { Registry } from "./src/registry/registry.ts";
export type { RegistryOptions } from "./src/registry/registry.ts";
export type { IfRevision, UpdateOptions } from "./src/registry/update_options.ts";
export { applyEvent } from "./src/registry/fold.ts";
export { EVENT_TYPES } from "./src/registry/events.ts";
export type * from "./src/registry/events.ts";
export type * from "./src/registry/entry.ts";
export type * from "./src/registry/store.ts";
export { MemoryStore } from "./src/storage/memory_store.ts";
export type { MemoryStoreOptions } from "./src/storage/memory_store.ts";

export { serve } from "./src/server/serve.ts";
export type { ServeOptions, WsServer } from "./src/server/serve.ts";
export { ConnectionHandler } from "./src/server/handler.ts";
export type { HandlerOptions } from "./src/server/handler.ts";

export { RegistryClient } from "./src/client/registry_client.ts";
export type { ConnectOptions } from "./src/client/registry_client.ts";

export { buildPackage } from "./src/package/build.ts";
export type { BuildPackageOptions, BuildProgress, BuiltPackage } from "./src/package/build.ts";

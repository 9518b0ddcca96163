/**
 * The server in parts, for a listener, an access check or a backend of your own.
 *
 * `serve()` of the main entry is a {@linkcode ConnectionHandler} behind a listener. Where an HTTP server exists already,
 * give it the handler: see examples/deno_server.ts, node_server.ts and bun_server.ts.
 *
 * @example Answer HTTP requests without a listener
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryStore, Registry } from "@harness/service-registry";
 * import { ConnectionHandler } from "@harness/service-registry/server";
 *
 * await using registry = await Registry.open(new MemoryStore());
 * await using handler = new ConnectionHandler({ registry });
 * const response = await handler.respond(new Request("http://127.0.0.1:8080/healthz"));
 * assert.equal(response.status, 200);
 * await response.body?.cancel();
 * ```
 *
 * @module
 */
// Loaded with the first input elsewhere; here at once: a program with few permissions may read no file later.
import "../protocol/requests.ts";
import "../registry/input/validate.ts";
import "./actions/run_action.ts";
import "./http/http_handler.ts";

export { ConnectionHandler } from "./handler.ts";
export type { Gate, HandlerOptions } from "./gate.ts";
export type { ConnectionEvents, Recipients, ServerSocket } from "./connection/server_socket.ts";
export type { AuditEntry, AuditSink } from "./access/audit.ts";
export type { Authenticator, AuthOptions } from "./access/auth.ts";
export type { Access, Client } from "./access/rights.ts";
export type { ServiceScope } from "./access/scope.ts";
export { TOKEN_RIGHTS } from "./access/rights.ts";
export type { TokenRights } from "./access/rights.ts";
export type { NamedToken, TokenOptions } from "./access/tokens.ts";
export type { Admission, UpgradeDecision } from "./access/upgrade.ts";
export { VouchedEntries } from "./access/vouched_entries.ts";
export type {
  CallContext,
  CheckedPackage,
  Deployments,
  Packages,
  PutPackageOptions,
  ServiceOwnership,
  Services,
} from "./backends.ts";
export type { DocumentStore } from "./backends.ts";
export type { Host, HostDirectory } from "./hosts/host_directory.ts";
export { SERVER_LIMITS, type ServerLimits } from "../model/server_limits.ts";
export { type ListenerName, LISTENERS } from "./listeners/listener.ts";
export type { AnonymousAccess } from "./access/auth.ts";

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
export type { ServerLimits } from "./src/model/server_limits.ts";
export {
  DEPLOY_STEPS,
  type DeployFailure,
  type DeploymentProgressData,
  type DeploymentStatus,
  type DeployStatus,
  type DeployStep,
  type HostOutcome,
} from "./src/model/deployment.ts";
export { ERROR_CODES, HarnessError, isErrorCode, isRetryable } from "./src/errors.ts";
export type { ErrorCode, HarnessErrorOptions } from "./src/errors.ts";

// The registry.
export { SERVICE_STATES } from "./src/model/service.ts";
export type {
  Endpoint,
  EndpointProtocol,
  Execution,
  HealthResult,
  Location,
  ServiceEntry,
  ServiceInput,
  ServicePatch,
  ServiceState,
} from "./src/model/service.ts";
export { EVENT_TYPES } from "./src/model/event.ts";
export type {
  DeregisteredData,
  EndpointUpdatedData,
  EntryData,
  EventBody,
  EventDataMap,
  EventFilter,
  EventType,
  FreeEventBody,
  HealthCheckData,
  RegistryEvent,
  StateChangedData,
} from "./src/model/event.ts";
export { applyEvent } from "./src/registry/apply_event.ts";
export { Registry } from "./src/registry/registry.ts";
export type { DependencyInfo } from "./src/registry/dependencies.ts";
export type { EventsOptions as RegistryEventsOptions } from "./src/registry/event_stream.ts";
export type { ServiceFilter } from "./src/registry/filter.ts";
export type { PageOptions, ServicePage } from "./src/registry/queries.ts";
export type {
  Change,
  CommitRecord,
  LoadedState,
  Store,
  StoreListener,
} from "./src/registry/store.ts";
export type {
  IfRevision,
  RegisterOptions,
  RegistryOptions,
  UpdateOptions,
} from "./src/registry/update_options.ts";

// Where it is kept.
export { Documents } from "./src/storage/documents.ts";
export type { DocumentsOptions, StoredDocument } from "./src/storage/documents.ts";
export { FileStore } from "./src/storage/file_store.ts";
export { MemoryStore } from "./src/storage/memory_store.ts";

// The protocol.
export type {
  Action,
  ActionData,
  ActionMap,
  ActionParams,
  ActionStep,
  Deployment,
  DeploymentHost,
  PackageInfo,
  StrategySpec,
  SubscribableEvent,
  Target,
  TargetSpec,
} from "./src/protocol/actions.ts";
export type {
  DrainingData,
  HelloData,
  RegistryLoadedData,
  ServiceLogData,
  WireEventMap,
  WireEventType,
} from "./src/protocol/messages.ts";

// The server.
export { openControlPlane } from "./src/server/control_plane.ts";
export type { ControlPlane, ControlPlaneOptions } from "./src/server/control_plane.ts";
export { sshHostDirectory } from "./src/server/hosts/ssh_directory.ts";
export type { SshHostDirectoryOptions } from "./src/server/hosts/ssh_directory.ts";
export { ConnectionHandler } from "./src/server/handler.ts";
export type { HandlerOptions } from "./src/server/handler.ts";
export { PackageStore } from "./src/server/packages/package_store.ts";
export { serve } from "./src/server/serve.ts";
export type { ServeOptions, WsServer } from "./src/server/serve.ts";
export type { Authenticator, AuthOptions } from "./src/server/access/auth.ts";
export type { Access, Client } from "./src/server/access/rights.ts";
export type { ServiceScope } from "./src/server/access/scope.ts";
export type { NamedToken, TokenOptions } from "./src/server/access/tokens.ts";
export type { AuditEntry, AuditSink } from "./src/server/access/audit.ts";
export { VouchedEntries } from "./src/server/access/vouched_entries.ts";
export type {
  CallContext,
  CheckedPackage,
  Deployments,
  Packages,
  PutPackageOptions,
  ServiceOwnership,
  Services,
} from "./src/server/backends.ts";
export type { DocumentStore } from "./src/server/document_store.ts";
export type { Host, HostDirectory } from "./src/server/hosts/host_directory.ts";
export type { ConnectionEvents, ServerSocket } from "./src/server/connection/server_socket.ts";
export type { Admission, UpgradeDecision } from "./src/server/access/upgrade.ts";

// The client.
export { RegistryActions } from "./src/client/actions.ts";
export type {
  CallableAction,
  CallOptions,
  ListServicesFilter,
  ServicesPage,
} from "./src/client/actions.ts";
export { deployAndFollow, followDeployment } from "./src/client/deployments.ts";
export type { FollowOptions } from "./src/client/deployments.ts";
export { EventStream } from "./src/client/events/stream.ts";
export type { EventsOptions } from "./src/client/events/stream.ts";
export { RegistryClient } from "./src/client/client.ts";
export type {
  DroppedItem,
  EventItem,
  Position,
  SnapshotItem,
  StreamItem,
} from "./src/client/events/items.ts";
export type { ClientClosure } from "./src/client/status.ts";
export type { Resumption } from "./src/client/events/subscription.ts";

// Packages.
export { buildPackage } from "./src/package/build.ts";
export type { BuildPackageOptions, BuildProgress, BuiltPackage } from "./src/package/build.ts";
export { installPath, sanitizeName, sanitizeVersion } from "./src/package/names.ts";
export { parseManifest } from "./src/package/manifest/parse.ts";
export { inspectPackage } from "./src/package/read.ts";
export type { InspectPackageOptions, PackageSummary } from "./src/package/read.ts";
export type { PackageEntry } from "./src/package/archive/entry_table.ts";
export { HARDENING_DEFAULTS } from "./src/package/manifest/manifest.ts";
export type {
  HardeningName,
  HardeningSpec,
  HealthProbe,
  HealthSpec,
  Manifest,
  ManifestEnv,
  ManifestPort,
  RestartSpec,
  StopSpec,
} from "./src/package/manifest/manifest.ts";

// Running commands.
export { localExecutor } from "./src/executor/local.ts";
export { quote, quoteWord } from "./src/executor/shell/quote.ts";
export { connectSsh } from "./src/executor/ssh/connect.ts";
export type { HostKeyPolicy, SshOptions, SshTarget } from "./src/executor/ssh/connect.ts";
export type { Command, Executor, RunOptions, RunResult, Stdin } from "./src/executor/executor.ts";

// Lifecycle.
export { createController } from "./src/lifecycle/controller.ts";
export type { ControllerOptions } from "./src/lifecycle/controller.ts";
export { checkHealth, waitUntilHealthy } from "./src/lifecycle/health/check.ts";
export type {
  CheckHealthOptions,
  HealthCheckResult,
  WaitUntilHealthyOptions,
} from "./src/lifecycle/health/check.ts";
export { Supervisor } from "./src/lifecycle/supervisor/supervisor.ts";
export type { RecordedState } from "./src/lifecycle/supervisor/recorded_state.ts";
export type { EndRecord, RestartMemory } from "./src/lifecycle/supervisor/restart_policy.ts";
export type {
  Controller,
  ControlOptions,
  LogOptions,
  Occupant,
  RunIdentity,
  ServiceSpec,
  ServiceStatus,
  SpecExecution,
} from "./src/lifecycle/service_spec.ts";
export type { StartOptions, WatchedService } from "./src/lifecycle/supervisor/watched_service.ts";
export type { HostKey } from "./src/lifecycle/supervisor/events.ts";

// Deployment.
export { deploy } from "./src/deploy/deploy.ts";
export type { DeployOptions } from "./src/deploy/deploy.ts";
export type { RunManager } from "./src/deploy/host/state.ts";
export type {
  DeployedService,
  DeployProgress,
  DeployResult,
  HostResult,
} from "./src/deploy/progress.ts";
export type {
  DeployPackage,
  DeployPackagePlan,
  DeployPlan,
  DeployStrategy,
  FoundHost,
  HostTarget,
  PlanBase,
  RollbackPlan,
  RollbackRequest,
} from "./src/deploy/plan.ts";

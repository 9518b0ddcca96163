/**
 * The client of harness-ws-server: typed calls, and events that survive the loss of a connection.
 *
 * It needs nothing but a standard WebSocket, so it runs in Deno, Node, Bun and browsers. docs/client.md is the guide.
 *
 * @example Register a service and follow its events
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryStore, Registry, serve } from "@harness/service-registry";
 * import { RegistryClient } from "@harness/service-registry/client";
 *
 * await using registry = await Registry.open(new MemoryStore());
 * await using server = await serve({ registry, port: 0 });
 * await using client = await RegistryClient.connect(server.url);
 *
 * const events = client.events({ events: ["service_registered"] });
 * await events.ready;
 * await client.registerService({
 *   name: "web",
 *   version: "1.0.0",
 *   execution: { type: "systemd_service", unit_name: "nginx.service" },
 * });
 * for await (const item of events) {
 *   if (item.kind === "event") assert.equal(item.data.id, "web");
 *   break;
 * }
 * ```
 *
 * @module
 */
export type {
  DeploymentProgressData,
  DeploymentStatus,
  DeployStep,
  HostOutcome,
} from "../model/deployment.ts";
export { RegistryClient } from "./client.ts";
export type { ConnectOptions } from "./client.ts";
export { RegistryActions } from "./actions.ts";
export type { CallableAction, CallOptions, ListServicesFilter, ServicesPage } from "./actions.ts";
export { deployAndFollow, followDeployment } from "./deployments.ts";
export type { FollowOptions } from "./deployments.ts";
export { Lease } from "./lease.ts";
export type { KeepAliveOptions, LeaseStatus, ReleaseAction } from "./lease.ts";
export { EventStream } from "./events/stream.ts";
export type { EventsOptions } from "./events/stream.ts";
export type { DroppedItem, EventItem, Position, SnapshotItem, StreamItem } from "./events/items.ts";
export type { ReconnectOptions } from "./backoff.ts";
export type { TokenTransport, WebSocketConstructor, WebSocketLike } from "./websocket.ts";
export type { ClientClosure, ClientStatus } from "./status.ts";
export type { Resumption } from "./events/subscription.ts";
export { ERROR_CODES, HarnessError, isErrorCode } from "../errors.ts";
export type { ErrorCode, HarnessErrorOptions } from "../errors.ts";
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
} from "../protocol/actions.ts";
export type {
  DrainingData,
  HelloData,
  RegistryLoadedData,
  ServiceLogData,
  WireEventMap,
  WireEventType,
} from "../protocol/messages.ts";
export type {
  Endpoint,
  EndpointInput,
  EndpointProtocol,
  Execution,
  ExecutionInput,
  HealthResult,
  Location,
  LocationInput,
  ServiceEntry,
  ServiceInput,
  ServiceState,
} from "../model/service.ts";
export type {
  DeregisteredData,
  EndpointUpdatedData,
  EntryData,
  EventDataMap,
  EventType,
  HealthCheckData,
  StateChangedData,
} from "../model/event.ts";

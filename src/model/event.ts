/**
 * The events of the registry: what changed, in one global order.
 *
 * Every event has a `seq`: one global, gapless, rising number within an `epoch` (a UUID of this data's
 * lineage). The data is the wire shape.
 *
 * @module
 */
import type { Endpoint, Execution, ServiceEntry, ServiceState } from "./service.ts";

/** Data of `service_registered` and `service_updated`. */
export interface EntryData {
  /** Service name. */
  service: string;
  /** Instance id. */
  id: string;
  /** The entry after the change. */
  entry: ServiceEntry;
}

/** Data of `service_deregistered`. */
export interface DeregisteredData {
  /** Service name. */
  service: string;
  /** Instance id. */
  id: string;
}

/** Data of `service_state_changed`. */
export interface StateChangedData {
  /** Service name. */
  service: string;
  /** Instance id. */
  id: string;
  /** State before. */
  old_state: ServiceState;
  /** State after. */
  new_state: ServiceState;
  /** Why, or `null`. */
  reason: string | null;
  /** The entry's revision after the change. */
  revision: number;
  /** The execution after the change, when that changed too (a new pid, a new container). */
  execution?: Execution;
  /** There when the run that ended, or the one before the start, had a health result: there is none now. */
  last_health_check?: null;
  /** What is known of it beyond the reason: with `failed` the exit code, the signal, the last log lines. */
  details?: Record<string, unknown>;
}

/** Data of `endpoint_updated`. */
export interface EndpointUpdatedData {
  /** Service name. */
  service: string;
  /** Instance id. */
  id: string;
  /** All endpoints after the change. */
  endpoints: Endpoint[];
  /** The entry's revision after the change. */
  revision: number;
}

/** Data of `health_check_result`. */
export interface HealthCheckData {
  /** Service name. */
  service: string;
  /** Instance id. */
  id: string;
  /** Whether the check passed. */
  healthy: boolean;
  /** What the check said, or `null`. */
  message: string | null;
  /** When it ended, RFC 3339 UTC. */
  checked_at: string;
  /** How long it took, in milliseconds. */
  duration_ms: number;
  /** The entry's revision after the result was recorded. */
  revision: number;
}

/** The steps of a deployment, in order; `finish` closes a host, and with `host: null` the deployment. */
export type DeployStep =
  | "connect"
  | "lock"
  | "preflight"
  | "upload"
  | "verify"
  | "extract"
  | "configure"
  | "switch"
  | "start"
  | "health"
  | "commit"
  | "prune"
  | "unlock"
  | "rollback"
  | "finish";

/** How a deployment ended on one host. */
export type HostOutcome =
  | "ok"
  | "failed"
  | "unreachable"
  | "skipped"
  | "rolled_back"
  | "rollback_failed"
  | "cancelled";

/** How a whole deployment stands. */
export type DeploymentStatus =
  | "queued"
  | "running"
  | "succeeded"
  | "failed"
  | "partial"
  | "cancelled"
  | "rolled_back"
  | "interrupted";

/** Data of `deployment_progress`. */
export interface DeploymentProgressData {
  /** Deployment id. */
  deployment_id: string;
  /** Service name. */
  service: string;
  /** Instance id, or `null` where the event is of the whole deployment. */
  id: string | null;
  /** Host label, or `null` where the event is of the whole deployment. */
  host: string | null;
  /** Which step. */
  step: DeployStep;
  /** How the step stands. */
  status: "started" | "progress" | "done" | "failed" | "skipped";
  /** 0 to 100 within the step, where known. */
  percent?: number;
  /** Bytes moved so far, where the step moves bytes. */
  bytes?: number;
  /** Bytes to move. */
  total_bytes?: number;
  /** One line for people. */
  message?: string;
  /** With `step: "finish"` and a host: how it ended there. */
  outcome?: HostOutcome;
  /** With `step: "finish"` and `host: null`: how the whole deployment ended. */
  deployment_status?: DeploymentStatus;
  /** When, RFC 3339 UTC. */
  at: string;
  /** With `status: "failed"`: what is known of the failure (command, exit code, last log lines, …). */
  error?: { code: string; message: string; details?: Record<string, unknown> };
}

/** Type of each event's data, by event name. */
export interface EventDataMap {
  /** A new entry. */
  service_registered: EntryData;
  /** Labels, version, dependencies, location or execution changed. */
  service_updated: EntryData;
  /** An entry is gone. */
  service_deregistered: DeregisteredData;
  /** An entry changed its state. */
  service_state_changed: StateChangedData;
  /** An entry's endpoints changed. */
  endpoint_updated: EndpointUpdatedData;
  /** A health check ended. */
  health_check_result: HealthCheckData;
  /** A deployment moved on. */
  deployment_progress: DeploymentProgressData;
}

/** Name of an event that carries a seq. */
export type EventType = keyof EventDataMap;

/** All event types that carry a seq. */
export const EVENT_TYPES = [
  "service_registered",
  "service_updated",
  "service_deregistered",
  "service_state_changed",
  "endpoint_updated",
  "health_check_result",
  "deployment_progress",
] as const satisfies readonly EventType[];

/** An event before it has its place in the order. */
export type EventBody = { [T in EventType]: { event: T; data: EventDataMap[T] } }[EventType];

/** An event that tells of no entry's change; all others are made by the change itself. */
export type FreeEventBody = Extract<EventBody, { event: "deployment_progress" }>;

/** An event in its place: the `seq` and the time are the store's. */
export type RegistryEvent = EventBody & {
  /** Place in the global order of this epoch. */
  seq: number;
  /** When it happened, RFC 3339 UTC with milliseconds. */
  time: string;
};

/** Which events a reader wants; a field left out matches all. */
export interface EventFilter {
  /** Event types. */
  events?: readonly EventType[];
  /** Instance ids, service names or globs (`api-*`, `web@host-?`). */
  services?: readonly string[];
}

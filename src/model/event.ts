/**
 * The events of the registry: each change, in one global order.
 *
 * Every event has a `seq`: one global, gapless, rising number within an `epoch` (a UUID of this data's
 * lineage). The data is the wire shape.
 *
 * @module
 */
import type { DeploymentProgressData } from "./deployment.ts";
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
  /** Present when the entry's health result was cleared by this change. */
  last_health_check?: null;
  /** Facts beyond the reason: with `failed` the exit code, the signal, the last log lines. */
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
  /** Message of the check, or `null`. */
  message: string | null;
  /** When it ended, RFC 3339 UTC. */
  checked_at: string;
  /** How long it took, in milliseconds. */
  duration_ms: number;
  /** The entry's revision after the result was recorded. */
  revision: number;
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
  /** A deployment made progress. */
  deployment_progress: DeploymentProgressData;
}

/** All event types that carry a seq. */
export const EVENT_TYPES = [
  "service_registered",
  "service_updated",
  "service_deregistered",
  "service_state_changed",
  "endpoint_updated",
  "health_check_result",
  "deployment_progress",
] as const;

/** Name of an event that carries a seq. */
export type EventType = (typeof EVENT_TYPES)[number];

/** An event before it has a seq. */
export type EventBody = { [T in EventType]: { event: T; data: EventDataMap[T] } }[EventType];

/** An event that is published by itself; all others are made by the change of an entry. */
export type StandaloneEvent = Extract<EventBody, { event: "deployment_progress" }>;

/** An event with its `seq` and time, which the store assigns. */
export type RegistryEvent = EventBody & {
  /** Position in the global order of this epoch. */
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

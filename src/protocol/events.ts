/**
 * The events of `harness.v1`: the data of those that are not the registry's, and the schemas of all.
 *
 * An event of the registry is described in `model/event.ts`; without a schema here it does not compile.
 *
 * @module
 */
import {
  endpointsSchema,
  executionSchema,
  serviceEntrySchema,
  serviceStateSchema,
} from "../model/entry_schema.ts";
import { z } from "zod";
import type { ServiceEntry } from "../model/service.ts";
import {
  DEPLOY_STEPS,
  type DeployFailure,
  DEPLOYMENT_STATUSES,
  type DeploymentStatus,
  type DeployStep,
  HOST_OUTCOMES,
  type HostOutcome,
  STEP_STATUSES,
} from "../model/deployment.ts";
import type { EventDataMap, EventType } from "../model/event.ts";

/** Data of `hello`, the first frame on every connection. */
export interface HelloData {
  /** Version in use and those supported. */
  protocol: { version: number; supported: number[] };
  /** Who answers. */
  server: { name: string; version: string };
  /** Lineage of the data. */
  epoch: string;
  /** Seq of the last event. */
  seq: number;
  /** The limits in force, by name. */
  limits: Record<string, number>;
  /** What this server can do beyond the registry: `deploy`, `lifecycle`, `packages`, `write`. */
  capabilities: string[];
}

/** Data of `registry_loaded`: a page of the snapshot. */
export interface RegistryLoadedData {
  /** Entries of this page, sorted by id. */
  services: ServiceEntry[];
  /** Whether another page follows. */
  more: boolean;
}

/** Data of `server_draining`. */
export interface DrainingData {
  /** Why. */
  reason: string;
  /** When to come back at the earliest, in milliseconds. */
  reconnect_after_ms: number;
}

/** Data of `service_log`: a line as it was written. */
export interface ServiceLogData {
  /** Service name. */
  service: string;
  /** Instance id. */
  id: string;
  /** The line, without its newline. */
  line: string;
}

/** Data of every event on the wire, by name. */
export interface WireEventMap extends EventDataMap {
  /** First frame of a connection. */
  hello: HelloData;
  /** A page of a snapshot. */
  registry_loaded: RegistryLoadedData;
  /** The server is about to close. */
  server_draining: DrainingData;
  /** How far a filtered or quiet subscriber is. */
  bookmark: Record<string, never>;
  /** A log line. */
  service_log: ServiceLogData;
}

/** Name of an event on the wire. */
export type WireEventType = keyof WireEventMap;

/** An event type that a client may subscribe to: those of the registry, and `service_log`. */
export type SubscribableEvent = EventType | "service_log";

/** RFC 3339 UTC with milliseconds. */
export const timeSchema: z.ZodType<string> = z.string().regex(
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
  "must be RFC 3339 in UTC",
);

/** Steps of a deployment. */
export const deployStepSchema: z.ZodType<DeployStep> = z.enum(DEPLOY_STEPS);

/** How a deployment ended on a host. */
export const hostOutcomeSchema: z.ZodType<HostOutcome> = z.enum(HOST_OUTCOMES);

/** Status of a deployment. */
export const deploymentStatusSchema: z.ZodType<DeploymentStatus> = z.enum(DEPLOYMENT_STATUSES);

/** An error within data: its code may be more special than those of responses. */
export const failureSchema: z.ZodType<DeployFailure> = z.object({
  code: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()).exactOptional(),
});

const count = z.int().nonnegative();
const nullableText = z.string().nullable();
const subject = { service: z.string(), id: z.string() };
const changed = { ...subject, revision: z.int().min(1) };
const entryData = z.object({ ...subject, entry: serviceEntrySchema });

const deploymentProgress = z.object({
  deployment_id: z.string(),
  service: z.string(),
  id: nullableText,
  host: nullableText,
  step: deployStepSchema,
  status: z.enum(STEP_STATUSES),
  percent: z.number().min(0).max(100).exactOptional(),
  bytes: count.exactOptional(),
  total_bytes: count.exactOptional(),
  message: z.string().exactOptional(),
  outcome: hostOutcomeSchema.exactOptional(),
  deployment_status: deploymentStatusSchema.exactOptional(),
  at: timeSchema,
  error: failureSchema.exactOptional(),
});

const hello = z.object({
  protocol: z.object({ version: z.int().min(1), supported: z.array(z.int().min(1)).min(1) }),
  server: z.object({ name: z.string(), version: z.string() }),
  epoch: z.string(),
  seq: count,
  limits: z.record(z.string(), z.number()),
  capabilities: z.array(z.string()),
});

/** One event: the schema of its data, and whether it has a `seq`. */
export interface EventDefinition<D> {
  /** Its data: docs/schema is generated from it and tests check servers with it. */
  readonly data: z.ZodType<D>;
  /** Whether it has a `seq`. */
  readonly seq: boolean;
}

/** Every event, in the order in which `subscribed` lists them. */
export const EVENTS: { readonly [E in WireEventType]: EventDefinition<WireEventMap[E]> } = {
  service_registered: { seq: true, data: entryData },
  service_updated: { seq: true, data: entryData },
  service_deregistered: { seq: true, data: z.object(subject) },
  service_state_changed: {
    seq: true,
    data: z.object({
      ...changed,
      old_state: serviceStateSchema,
      new_state: serviceStateSchema,
      reason: nullableText,
      execution: executionSchema.exactOptional(),
      last_health_check: z.null().exactOptional(),
      details: z.record(z.string(), z.unknown()).exactOptional(),
    }),
  },
  endpoint_updated: { seq: true, data: z.object({ ...changed, endpoints: endpointsSchema }) },
  health_check_result: {
    seq: true,
    data: z.object({
      ...changed,
      healthy: z.boolean(),
      message: nullableText,
      checked_at: timeSchema,
      duration_ms: z.number().nonnegative(),
    }),
  },
  deployment_progress: { seq: true, data: deploymentProgress },
  service_log: { seq: false, data: z.object({ ...subject, line: z.string() }) },
  hello: { seq: false, data: hello },
  registry_loaded: {
    seq: true,
    data: z.object({ services: z.array(serviceEntrySchema), more: z.boolean() }),
  },
  bookmark: { seq: true, data: z.object({}) as z.ZodType<Record<string, never>> },
  server_draining: {
    seq: false,
    data: z.object({ reason: z.string(), reconnect_after_ms: count }),
  },
};

/**
 * What `subscribe` may name: also the events of the connection itself, which come without being asked for.
 */
export const namedEventSchema: z.ZodEnum<{ [E in WireEventType]: E }> = z.enum(
  Object.keys(EVENTS) as WireEventType[],
) as unknown as z.ZodEnum<{ [E in WireEventType]: E }>;

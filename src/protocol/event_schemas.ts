/**
 * The schema of every event's data: what docs/schema is generated from and what tests hold the server to.
 *
 * @module
 */
import { z } from "zod";
import { ERROR_CODES } from "../errors.ts";
import {
  endpointsSchema,
  executionSchema,
  serviceEntrySchema,
  serviceStateSchema,
} from "../model/service.ts";
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
import type { WireError, WireEventMap, WireEventType } from "./messages.ts";

/** RFC 3339 UTC with milliseconds. */
export const timeSchema: z.ZodType<string> = z.string().regex(
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
  "must be RFC 3339 in UTC",
);

/** Steps of a deployment. */
export const deployStepSchema: z.ZodType<DeployStep> = z.enum(DEPLOY_STEPS);

/** How a deployment ended on a host. */
export const hostOutcomeSchema: z.ZodType<HostOutcome> = z.enum(HOST_OUTCOMES);

/** How a deployment stands. */
export const deploymentStatusSchema: z.ZodType<DeploymentStatus> = z.enum(DEPLOYMENT_STATUSES);

/** An error within data: its code may be more special than those of responses. */
export const failureSchema: z.ZodType<DeployFailure> = z.object({
  code: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()).exactOptional(),
});

/** The error of a response. */
export const wireErrorSchema: z.ZodType<WireError> = z.object({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  retryable: z.boolean(),
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

/** The schema of each event's data. */
export const EVENT_DATA: { readonly [E in WireEventType]: z.ZodType<WireEventMap[E]> } = {
  service_registered: entryData,
  service_updated: entryData,
  service_deregistered: z.object(subject),
  service_state_changed: z.object({
    ...changed,
    old_state: serviceStateSchema,
    new_state: serviceStateSchema,
    reason: nullableText,
    execution: executionSchema.exactOptional(),
    last_health_check: z.null().exactOptional(),
    details: z.record(z.string(), z.unknown()).exactOptional(),
  }),
  endpoint_updated: z.object({ ...changed, endpoints: endpointsSchema }),
  health_check_result: z.object({
    ...changed,
    healthy: z.boolean(),
    message: nullableText,
    checked_at: timeSchema,
    duration_ms: z.number().nonnegative(),
  }),
  deployment_progress: deploymentProgress,
  hello,
  registry_loaded: z.object({ services: z.array(serviceEntrySchema), more: z.boolean() }),
  server_draining: z.object({ reason: z.string(), reconnect_after_ms: count }),
  bookmark: z.object({}) as z.ZodType<Record<string, never>>,
  service_log: z.object({ ...subject, line: z.string() }),
};

/** Whether each event has a `seq`. */
export const EVENT_HAS_SEQ: { readonly [E in WireEventType]: boolean } = {
  service_registered: true,
  service_updated: true,
  service_deregistered: true,
  service_state_changed: true,
  endpoint_updated: true,
  health_check_result: true,
  deployment_progress: true,
  hello: false,
  registry_loaded: true,
  server_draining: false,
  bookmark: true,
  service_log: false,
};

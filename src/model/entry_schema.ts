/**
 * Schemas of a stored service entry: what a store may load and a client may receive.
 *
 * What may be registered is stricter, see `service_schema.ts`.
 *
 * @module
 */
import { z } from "zod";
import {
  MAX_DEPENDENCIES,
  MAX_ENDPOINTS,
  MAX_LABELS,
  MAX_TEXT_LENGTH,
  MAX_TTL_MS,
  MIN_TTL_MS,
} from "./limits.ts";
import { isAddress, MAX_ADDRESS_LENGTH, MAX_ARGS, NAME_RULE } from "./rules.ts";
import { MAX_ID_LENGTH, SERVICE_ID } from "./service_id.ts";
import {
  type Endpoint,
  type EndpointInput,
  type Execution,
  type ExecutionInput,
  type HealthResult,
  KNOWN_PROTOCOLS,
  type Location,
  type LocationInput,
  SERVICE_STATES,
  type ServiceEntry,
  type ServiceState,
} from "./service.ts";

const text = z.string().max(MAX_TEXT_LENGTH);
const count = z.int().nonnegative();

/** A service name: `^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`. */
export const serviceNameSchema: z.ZodType<string, string> = z.string()
  .max(NAME_RULE.maximum)
  .regex(NAME_RULE.pattern, NAME_RULE.message);

/** An instance id: a service name, optionally followed by `@host`. */
export const serviceIdSchema: z.ZodType<string, string> = z.string()
  .max(MAX_ID_LENGTH)
  .regex(SERVICE_ID, "must be a service name, optionally followed by @host");

/** One of the six states. */
export const serviceStateSchema: z.ZodType<ServiceState, ServiceState> = z.enum(SERVICE_STATES);

/** `host:port` with an IPv4 address, an IPv6 address in brackets, or a host name. */
export const addressSchema: z.ZodType<string, string> = z.string().max(MAX_ADDRESS_LENGTH).refine(
  isAddress,
  "must be host:port, with an IPv6 host in brackets and a port from 1 to 65535",
);

/** Schema of {@linkcode Endpoint}. */
export const endpointSchema: z.ZodType<Endpoint, EndpointInput> = z.object({
  name: serviceNameSchema,
  address: addressSchema,
  protocol: z.union([
    z.enum(KNOWN_PROTOCOLS),
    z.object({ custom: text.min(1) }),
  ]),
  metadata: z.record(text, text).default({}),
});

/** The options of a union of executions; the compiler asks for a type that is missing. */
export function eachExecution<S extends Record<Execution["type"], z.ZodType>>(
  schemas: S,
): [S[keyof S], ...S[keyof S][]] {
  return Object.values(schemas) as [S[keyof S], ...S[keyof S][]];
}

/** Schema of a stored {@linkcode Execution}; `model/service_schema.ts` has what may be registered. */
export const executionSchema: z.ZodType<Execution, ExecutionInput> = z.discriminatedUnion(
  "type",
  eachExecution({
    managed_process: z.object({
      type: z.literal("managed_process"),
      command: text.min(1),
      args: z.array(text).max(MAX_ARGS).default([]),
      pid: z.int().positive().nullable().default(null),
    }),
    docker_container: z.object({
      type: z.literal("docker_container"),
      image: text.min(1),
      container_id: text.nullable().default(null),
      name: text.nullable().default(null),
    }),
    systemd_service: z.object({ type: z.literal("systemd_service"), unit_name: text.min(1) }),
    systemd_portable: z.object({
      type: z.literal("systemd_portable"),
      image_name: text.min(1),
      unit_name: text.min(1),
    }),
  }),
);

/** Schema of a stored {@linkcode Location}. */
export const locationSchema: z.ZodType<Location, LocationInput> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("local") }),
  z.object({
    type: z.literal("remote"),
    host: z.string().min(1).max(255),
    ssh_user: z.string().min(1).max(64),
    ssh_port: z.int().min(1).max(65535).nullable().default(null),
  }),
]);

/** Schema of a list of {@linkcode Endpoint}s with distinct names. */
export const endpointsSchema: z.ZodType<Endpoint[], EndpointInput[]> = z.array(endpointSchema)
  .max(MAX_ENDPOINTS)
  .refine(
    (list) => new Set(list.map((e) => e.name)).size === list.length,
    "must have distinct names within a service",
  );

/** Schema of a stored `depends_on`. */
const dependsOnSchema: z.ZodType<string[], string[]> = z.array(serviceNameSchema)
  .max(MAX_DEPENDENCIES);

/** Schema of `labels`. */
const labelsSchema: z.ZodType<Record<string, string>, Record<string, string>> = z.record(
  text.min(1),
  text,
)
  .refine(
    (o: Record<string, string>) => Object.keys(o).length <= MAX_LABELS,
    `must have at most ${MAX_LABELS} labels`,
  );

/** Schema of {@linkcode HealthResult}. */
export const healthResultSchema: z.ZodType<HealthResult, HealthResult> = z.object({
  healthy: z.boolean(),
  message: z.string().nullable(),
  checked_at: z.string(),
  duration_ms: z.number().nonnegative(),
});

/** Schema of `ttl_ms`. */
export const ttlSchema: z.ZodType<number, number> = z.int().min(MIN_TTL_MS).max(MAX_TTL_MS);

/** Schema of {@linkcode ServiceEntry}: what a store may load and a client may receive. */
export const serviceEntrySchema: z.ZodType<ServiceEntry> = z.object({
  id: serviceIdSchema,
  name: serviceNameSchema,
  version: z.string(),
  execution: executionSchema,
  location: locationSchema,
  endpoints: endpointsSchema,
  depends_on: dependsOnSchema,
  state: serviceStateSchema,
  state_reason: z.string().nullable(),
  last_health_check: healthResultSchema.nullable(),
  labels: labelsSchema,
  ttl_ms: ttlSchema.exactOptional(),
  revision: count.min(1),
  registered_at: z.string(),
  last_state_change: z.string(),
  updated_at: z.string(),
});

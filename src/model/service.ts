/**
 * The service entry: what the registry knows of one instance of a service.
 *
 * Field names are the wire names, so an entry is stored and sent as it is. Entries are immutable: a
 * change makes a new one with `revision` one higher.
 *
 * @module
 */
import { z } from "zod";
import {
  MAX_DEPENDENCIES,
  MAX_ENDPOINTS,
  MAX_LABELS,
  MAX_NAME_LENGTH,
  MAX_TEXT_LENGTH,
  MAX_TTL_MS,
  MIN_TTL_MS,
} from "./limits.ts";

/** All states of an instance, in the order of a normal life. */
export const SERVICE_STATES = [
  "registered",
  "starting",
  "running",
  "stopping",
  "stopped",
  "failed",
] as const;

/** The state of an instance. See docs/lifecycle.md for the diagram and who sets which. */
export type ServiceState = (typeof SERVICE_STATES)[number];

/** What `service_action` can do to a service. */
export const SERVICE_ACTIONS = ["start", "stop", "restart", "reload"] as const;

/** One of {@linkcode SERVICE_ACTIONS}. */
export type ServiceAction = (typeof SERVICE_ACTIONS)[number];

/** The `type`s of an {@linkcode Execution}. */
export const EXECUTION_TYPES = [
  "managed_process",
  "docker_container",
  "systemd_service",
  "systemd_portable",
] as const satisfies ReadonlyArray<Execution["type"]>;

/** How a service is executed. */
export type Execution =
  | {
    /** A program started and watched by us. */
    type: "managed_process";
    /** Program or script, absolute or found on the host's PATH. */
    command: string;
    /** Arguments, passed as they are. */
    args: string[];
    /** Process id while it runs. */
    pid: number | null;
  }
  | {
    /** A container of the host's Docker daemon. */
    type: "docker_container";
    /** Image reference. */
    image: string;
    /** Container id while there is one. */
    container_id: string | null;
    /** Container name, or `null` for one derived from the service. */
    name: string | null;
  }
  | {
    /** A unit that systemd already knows. */
    type: "systemd_service";
    /** Unit name, such as `nginx.service`. */
    unit_name: string;
  }
  | {
    /** A systemd portable service. */
    type: "systemd_portable";
    /** Portable image name. */
    image_name: string;
    /** Unit name inside the image. */
    unit_name: string;
  };

/** Where a service runs. */
export type Location =
  | { /** On the server's own machine. */ type: "local" }
  | {
    /** On another machine, reached by SSH. */
    type: "remote";
    /** Host name or address. */
    host: string;
    /** SSH login name. */
    ssh_user: string;
    /** SSH port, or `null` for the configured default. */
    ssh_port: number | null;
  };

/** The protocols an endpoint may name without `custom`. */
export const KNOWN_PROTOCOLS = ["http", "https", "grpc", "tcp", "udp", "websocket"] as const;

/** The protocol an endpoint speaks. */
export type EndpointProtocol =
  | (typeof KNOWN_PROTOCOLS)[number]
  | { /** A protocol of the user's own. */ custom: string };

/** An address at which a service can be reached. */
export interface Endpoint {
  /** Name, unique within the service, such as `http`. */
  name: string;
  /** `host:port`; an IPv6 host stands in brackets. */
  address: string;
  /** Protocol spoken there. */
  protocol: EndpointProtocol;
  /** Free pairs for the user's tools. */
  metadata: Record<string, string>;
}

/** The result of the last health check. */
export interface HealthResult {
  /** Whether the check passed. */
  healthy: boolean;
  /** What the check said, or `null`. */
  message: string | null;
  /** When it ended, RFC 3339 UTC. */
  checked_at: string;
  /** How long it took, in milliseconds. */
  duration_ms: number;
}

/** One instance of a service, as stored and as sent. */
export interface ServiceEntry {
  /** Unique instance id: the name, or `name@host` when deployed to several hosts. */
  id: string;
  /** Service name. */
  name: string;
  /** Version text. */
  version: string;
  /** How it is executed. */
  execution: Execution;
  /** Where it runs. */
  location: Location;
  /** Where it can be reached. */
  endpoints: Endpoint[];
  /** Names of the services it needs. */
  depends_on: string[];
  /** Current state. */
  state: ServiceState;
  /** Why it is in this state, or `null`. */
  state_reason: string | null;
  /** The last health check of the present run; `null` before the first one and for what does not run. */
  last_health_check: HealthResult | null;
  /** Free pairs to filter by. */
  labels: Record<string, string>;
  /** Lease length in milliseconds when the owner must send heartbeats. */
  ttl_ms?: number;
  /** One more at each change of this entry, from 1. */
  revision: number;
  /** When it was registered, RFC 3339 UTC with milliseconds. */
  registered_at: string;
  /** When `state` last changed. */
  last_state_change: string;
  /** When anything last changed. */
  updated_at: string;
}

/** An {@linkcode Execution} as callers give it; the schema fills in the rest. */
export type ExecutionInput =
  | {
    /** A program started and watched by us. */
    type: "managed_process";
    /** Program or script, absolute or found on the host's PATH. */
    command: string;
    /** Arguments, passed as they are. @default {[]} */
    args?: string[] | undefined;
    /** Process id of what runs already. @default {null} */
    pid?: number | null | undefined;
  }
  | {
    /** A container of the host's Docker daemon. */
    type: "docker_container";
    /** Image reference. */
    image: string;
    /** Id of a container that is there already. @default {null} */
    container_id?: string | null | undefined;
    /** Container name. @default {derived from the service} */
    name?: string | null | undefined;
  }
  | Extract<Execution, { type: "systemd_service" | "systemd_portable" }>;

/** A {@linkcode Location} as callers give it; the schema fills in the rest. */
export type LocationInput =
  | Extract<Location, { type: "local" }>
  | {
    /** On another machine, reached by SSH. */
    type: "remote";
    /** Host name or address. */
    host: string;
    /** SSH login name. */
    ssh_user: string;
    /** SSH port. @default {the configured one} */
    ssh_port?: number | null | undefined;
  };

/** An {@linkcode Endpoint} as callers give it. */
export interface EndpointInput extends Omit<Endpoint, "metadata"> {
  /** Free pairs for the user's tools. @default {{}} */
  metadata?: Record<string, string> | undefined;
}

/** What a caller gives to register a service; the rest of the entry is filled in. */
export interface ServiceInput {
  /** Instance id. @default {name} */
  id?: string;
  /** Service name. */
  name: string;
  /** Version text. */
  version: string;
  /** How it is executed. */
  execution: ExecutionInput;
  /** Where it runs. @default {{ type: "local" }} */
  location?: LocationInput;
  /** Where it can be reached. @default {[]} */
  endpoints?: EndpointInput[];
  /** Names of the services it needs. @default {[]} */
  depends_on?: string[];
  /** Free pairs to filter by. @default {{}} */
  labels?: Record<string, string>;
  /** Lease length in milliseconds; without it the entry stays until it is deregistered. */
  ttl_ms?: number;
}

/** A {@linkcode ServiceInput} after its check, with nested defaults filled in. */
export interface CheckedServiceInput
  extends Omit<ServiceInput, "execution" | "location" | "endpoints"> {
  /** How it is executed. */
  execution: Execution;
  /** Where it runs. */
  location?: Location;
  /** Where it can be reached. */
  endpoints?: Endpoint[];
}

/** What may be changed of an entry; a field left out stays as it is. */
export interface ServicePatch {
  /** New version text. */
  version?: string;
  /** New execution, whole. */
  execution?: ExecutionInput;
  /** New location, whole. */
  location?: LocationInput;
  /** New endpoints, whole. */
  endpoints?: EndpointInput[];
  /** New labels, whole. */
  labels?: Record<string, string>;
  /** New dependencies, whole. */
  depends_on?: string[];
  /** New state: must be a legal transition. */
  state?: ServiceState;
  /** Why the state is what it is. */
  state_reason?: string | null;
  /** Result of a health check. */
  last_health_check?: HealthResult | null;
}

/** A {@linkcode ServicePatch} after its check, with nested defaults filled in. */
export interface CheckedServicePatch
  extends Omit<ServicePatch, "execution" | "location" | "endpoints"> {
  /** New execution, whole. */
  execution?: Execution;
  /** New location, whole. */
  location?: Location;
  /** New endpoints, whole. */
  endpoints?: Endpoint[];
}

const NAME_RULE = "must be letters, digits, '.', '_' and '-', beginning with a letter or digit";
const text = z.string().max(MAX_TEXT_LENGTH);
const count = z.int().nonnegative();

/** A service name: `^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`. */
export const serviceNameSchema: z.ZodType<string, string> = z.string()
  .max(MAX_NAME_LENGTH)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, NAME_RULE);

/** An instance id: a service name, optionally followed by `@host`. */
export const serviceIdSchema: z.ZodType<string, string> = z.string()
  .max(2 * MAX_NAME_LENGTH)
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]*(@[A-Za-z0-9[][A-Za-z0-9._:[\]%-]*)?$/,
    "must be a service name, optionally followed by @host",
  );

/** One of the six states. */
export const serviceStateSchema: z.ZodType<ServiceState, ServiceState> = z.enum(SERVICE_STATES);

/** `host:port` with an IPv4 address, an IPv6 address in brackets, or a host name. */
export const addressSchema: z.ZodType<string, string> = z.string().max(512).refine(
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

/** Schema of a stored {@linkcode Execution}; `model/service_schema.ts` has what may be registered. */
export const executionSchema: z.ZodType<Execution, ExecutionInput> = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("managed_process"),
    command: text.min(1),
    args: z.array(text).max(1024).default([]),
    pid: z.int().positive().nullable().default(null),
  }),
  z.object({
    type: z.literal("docker_container"),
    image: text.min(1),
    container_id: text.nullable().default(null),
    name: text.nullable().default(null),
  }),
  z.object({ type: z.literal("systemd_service"), unit_name: text.min(1) }),
  z.object({
    type: z.literal("systemd_portable"),
    image_name: text.min(1),
    unit_name: text.min(1),
  }),
]);

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
    "endpoint names must be distinct within a service",
  );

/** Schema of a stored `depends_on`. */
const dependsOnSchema: z.ZodType<string[], string[]> = z.array(serviceNameSchema)
  .max(MAX_DEPENDENCIES);

/** Schema of `labels`. */
export const labelsSchema: z.ZodType<Record<string, string>, Record<string, string>> = z.record(
  text.min(1),
  text,
)
  .refine(
    (o: Record<string, string>) => Object.keys(o).length <= MAX_LABELS,
    `at most ${MAX_LABELS} labels`,
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

/** Whether `value` is `host:port` as {@linkcode addressSchema} wants it. */
function isAddress(value: string): boolean {
  const match = /^(?:\[([0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?)\]|([^:[\]\s/@]+)):(\d{1,5})$/.exec(
    value,
  );
  if (match === null) return false;
  const [, ipv6, host, port] = match;
  if (Number(port) < 1 || Number(port) > 65535) return false;
  if (ipv6 !== undefined) return URL.canParse(`http://[${ipv6.replace(/%.*/, "")}]`);
  // A host whose last label is a number can only be an IPv4 address, as URLs have it too.
  if (/(^|\.)\d+\.?$/.test(host ?? "")) return isIpv4(host ?? "");
  return host !== undefined && host.length <= 253 &&
    /^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/
      .test(host);
}

function isIpv4(host: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) &&
    host.split(".").every((byte) => Number(byte) <= 255);
}

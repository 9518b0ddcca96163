/**
 * The service entry: the registry's record of one instance of a service.
 *
 * Field names are the wire names, so an entry is stored and sent as it is. Entries are immutable: a
 * change makes a new one with `revision` one higher.
 *
 * @module
 */

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
export const EXECUTION_TYPES: readonly string[] = Object.keys(
  {
    managed_process: true,
    docker_container: true,
    systemd_service: true,
    systemd_portable: true,
  } satisfies Record<Execution["type"], true>,
);

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
  /** `host:port`, an IPv6 host in brackets. */
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
  /** Message of the check, or `null`. */
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
  /** The last health check of the present run; `null` before the first one and when it is not running. */
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

/**
 * The actions of `harness.v1`: for each the schema of its params, and the types of params and data.
 *
 * Both sides use this table: the server checks params with it, the client takes its types from it, and
 * docs/schema is generated from it. Unknown fields are dropped, never an error.
 *
 * @module
 */
import { z } from "zod";
import {
  type Endpoint,
  labelsSchema,
  SERVICE_ACTIONS,
  type ServiceAction,
  type ServiceEntry,
  serviceIdSchema,
  type ServiceInput,
  serviceNameSchema,
  type ServiceState,
  serviceStateSchema,
} from "../model/service.ts";
import {
  cursorSchema,
  dependsOnInputSchema,
  endpointsInputSchema,
  serviceInputSchema,
  versionSchema,
} from "../model/service_schema.ts";
import { type Target, targetSchema, targetsSchema } from "../model/target.ts";
import {
  type DeployFailure,
  type DeploymentKind,
  type DeploymentStatus,
  type DeployStep,
  type HostOutcome,
  UNREACHABLE_POLICIES,
  type UnreachablePolicy,
} from "../model/deployment.ts";
import { EVENT_TYPES, type EventType } from "../model/event.ts";
import type { WireEventType } from "./messages.ts";
import {
  MAX_HOSTS,
  MAX_LOG_TAIL_LINES,
  MAX_PAGE_SIZE,
  MAX_SUBSCRIPTION_SERVICES,
  MAX_TEXT_LENGTH,
} from "../model/limits.ts";

export type { Target, TargetSpec } from "../model/target.ts";

/** An event type that a client may subscribe to: those of the registry, and `service_log`. */
export type SubscribableEvent = EventType | "service_log";

/** How a subscription may begin: nothing was missed, the missed events follow, or all entries do. */
export const RESUME_MODES = ["live", "replayed", "snapshot"] as const;

/** How a subscription begins. */
export type ResumeMode = (typeof RESUME_MODES)[number];

/** How a deployment treats its hosts. */
export interface StrategySpec {
  /** Hosts at once. @default {10} */
  parallel?: number;
  /** Hosts that go first, alone; the rest follows only when they are fine. @default {0} */
  canary?: number;
  /** Failed hosts after which no new host is started. @default {0} */
  max_failures?: number;
  /** Whether an unreachable host counts as a failure. @default {"fail"} */
  on_unreachable?: UnreachablePolicy;
}

/** One host's part of a deployment. */
export interface DeploymentHost {
  /** Host label as given. */
  host: string;
  /** How it ended, or `null` while it has not. */
  outcome: HostOutcome | null;
  /** The step it is at or ended at, or `null` before the first. */
  step: DeployStep | null;
  /** What went wrong. */
  error?: DeployFailure;
}

/** A deployment, under way or ended. */
export interface Deployment {
  /** Id, `d-…`. */
  deployment_id: string;
  /** Package file name. */
  package: string;
  /** Service name. */
  service: string;
  /** Version deployed, where known. */
  version: string | null;
  /** Who asked for it: the kind or the name of the token. Records of earlier versions have none. */
  by?: string;
  /** Whether it deploys or rolls back. */
  kind: DeploymentKind;
  /** How it stands. */
  status: DeploymentStatus;
  /** When it began, RFC 3339 UTC. */
  started_at: string;
  /** When it ended, or `null`. */
  finished_at: string | null;
  /** Per host. */
  hosts: DeploymentHost[];
}

/** A package that the server holds. */
export interface PackageInfo {
  /** File name, `<name>-<version>.tar.gz`. */
  file: string;
  /** Package name. */
  name: string;
  /** Package version. */
  version: string;
  /** Size in bytes. */
  size: number;
  /** SHA-256 of the file, hex. */
  sha256: string;
}

/** One step of what a `service_action` with `cascade` or `dry_run` does: instances that are acted on at once. */
export interface ActionStep {
  /** What is done to each. */
  action: ServiceAction;
  /** Instance ids. */
  services: string[];
}

/** Params and data of every action, by name: the one place from which both sides take their types. */
export interface ActionMap {
  /** The services that match, sorted by id. */
  list_services: {
    params: {
      name?: string;
      state?: ServiceState;
      host?: string;
      label?: string;
      limit?: number;
      cursor?: string;
    };
    data: ServiceEntry[] | { services: ServiceEntry[]; next_cursor: string | null; seq: number };
  };
  /** One service, by id, or by name when it has one instance. */
  get_service: { params: { name: string }; data: ServiceEntry };
  /** Registers a service. */
  register_service: { params: { service: ServiceInput; replace?: boolean }; data: ServiceEntry };
  /** Changes what is given. */
  update_service: {
    params: {
      name: string;
      if_revision?: number;
      endpoints?: Endpoint[];
      labels?: Record<string, string>;
      depends_on?: string[];
      version?: string;
      state?: ServiceState;
      state_reason?: string | null;
    };
    data: ServiceEntry;
  };
  /** Removes a service from the registry; what runs is left alone. */
  deregister_service: { params: { name: string; if_revision?: number }; data: { removed: true } };
  /** Renews the lease of a service registered with `ttl_ms`. */
  heartbeat: { params: { name: string }; data: { expires_at: string } };
  /** Starts, stops, restarts or reloads a service; answers when it was done. */
  service_action: {
    params: {
      name: string;
      action: ServiceAction;
      cascade?: boolean;
      dry_run?: boolean;
    };
    data: {
      service: string;
      old_state: ServiceState;
      new_state: ServiceState;
      waves?: string[][];
      plan?: ActionStep[];
    };
  };
  /** All endpoints by instance id. */
  list_endpoints: { params: Record<string, never>; data: Record<string, Endpoint[]> };
  /** The endpoints at which a service can be reached now. */
  resolve_endpoint: {
    params: { service: string; endpoint?: string };
    data: Array<Endpoint & { id: string }>;
  };
  /** The dependency graph around a service. */
  get_dependencies: {
    params: { name: string };
    data: {
      dependencies: string[];
      dependents: string[];
      unmet: string[];
      start_order: string[][];
    };
  };
  /** The last log lines of a service. */
  service_logs: { params: { name: string; tail?: number }; data: { lines: string[] } };
  /** Starts a deployment and answers at once; the rest comes as events. */
  deploy_package: {
    params: {
      package: string;
      target?: Target;
      targets?: Target[];
      env?: Record<string, string>;
      secrets?: Record<string, string>;
      strategy?: StrategySpec;
      idempotency_key?: string;
      force?: boolean;
      sha256?: string;
    };
    data: { deployment_id: string };
  };
  /** One deployment. */
  get_deployment: { params: { deployment_id: string }; data: Deployment };
  /** All deployments that are kept, newest first. */
  list_deployments: {
    params: { service?: string; limit?: number };
    data: Deployment[];
  };
  /** Stops starting hosts and rolls back those in flight. */
  cancel_deployment: { params: { deployment_id: string }; data: Deployment };
  /** Starts a deployment of the last good (or the given) version. */
  rollback_service: {
    params: { name: string; version?: string; targets?: Target[] };
    data: { deployment_id: string };
  };
  /** Starts an ended deployment again on the hosts where it did not end well. */
  resume_deployment: {
    params: { deployment_id: string; secrets?: Record<string, string> };
    data: { deployment_id: string };
  };
  /** The packages the server holds. */
  list_packages: { params: Record<string, never>; data: PackageInfo[] };
  /** Subscribes this connection to events. */
  subscribe: {
    params: {
      events?: WireEventType[];
      services?: string[];
      since?: { epoch: string; seq: number };
      snapshot?: boolean;
    };
    data: {
      subscribed: WireEventType[];
      subscription: string;
      epoch: string;
      seq: number;
      resumed: ResumeMode;
    };
  };
  /** Ends subscriptions of this connection. */
  unsubscribe: {
    params: { events?: WireEventType[]; subscription?: string };
    data: { subscribed: WireEventType[] };
  };
}

/** Name of an action. */
export type Action = keyof ActionMap;
/** Params of an action. */
export type ActionParams<A extends Action> = ActionMap[A]["params"];
/** Data of an action's response. */
export type ActionData<A extends Action> = ActionMap[A]["data"];

const text = z.string().max(MAX_TEXT_LENGTH);
const revision = z.int().nonnegative();
const nothing: z.ZodType<Record<string, never>> = z.object({}) as z.ZodType<Record<string, never>>;
/**
 * What `subscribe` may name, in the order in which `subscribed` lists it: also the events of the connection itself,
 * which come without being asked for.
 */
export const namedEventSchema: z.ZodEnum<{ [E in WireEventType]: E }> = z.enum([
  ...EVENT_TYPES,
  "service_log",
  "hello",
  "registry_loaded",
  "bookmark",
  "server_draining",
]);
/** Env names as POSIX has them. */
const envSchema = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "an env name is letters, digits and _"),
  z.string().max(64 * 1024).refine((v) => !v.includes("\0"), "must not contain a NUL byte"),
);

const strategySchema: z.ZodType<StrategySpec> = z.object({
  parallel: z.int().min(1).max(MAX_HOSTS).exactOptional(),
  canary: z.int().min(0).max(MAX_HOSTS).exactOptional(),
  max_failures: z.int().min(0).max(MAX_HOSTS).exactOptional(),
  on_unreachable: z.enum(UNREACHABLE_POLICIES).exactOptional(),
});

const nameOrId = z.object({ name: serviceIdSchema });
const deploymentId = z.object({ deployment_id: z.string().min(1).max(128) });

/** The schema of each action's params. */
export const ACTION_PARAMS: { readonly [A in Action]: z.ZodType<ActionParams<A>> } = {
  list_services: z.object({
    name: text.exactOptional(),
    state: serviceStateSchema.exactOptional(),
    host: text.exactOptional(),
    label: text.exactOptional(),
    limit: z.int().min(1).max(MAX_PAGE_SIZE).exactOptional(),
    cursor: cursorSchema.exactOptional(),
  }),
  get_service: nameOrId,
  register_service: z.object({
    service: serviceInputSchema,
    replace: z.boolean().exactOptional(),
  }),
  update_service: z.object({
    name: serviceIdSchema,
    if_revision: revision.exactOptional(),
    endpoints: endpointsInputSchema.exactOptional(),
    labels: labelsSchema.exactOptional(),
    depends_on: dependsOnInputSchema.exactOptional(),
    version: versionSchema.exactOptional(),
    state: serviceStateSchema.exactOptional(),
    state_reason: text.nullable().exactOptional(),
  }),
  deregister_service: z.object({ name: serviceIdSchema, if_revision: revision.exactOptional() }),
  heartbeat: nameOrId,
  service_action: z.object({
    name: serviceIdSchema,
    action: z.enum(SERVICE_ACTIONS),
    cascade: z.boolean().exactOptional(),
    dry_run: z.boolean().exactOptional(),
  }),
  list_endpoints: nothing,
  resolve_endpoint: z.object({ service: serviceNameSchema, endpoint: text.exactOptional() }),
  get_dependencies: nameOrId,
  service_logs: z.object({
    name: serviceIdSchema,
    tail: z.int().min(0).max(MAX_LOG_TAIL_LINES).exactOptional(),
  }),
  deploy_package: z.object({
    package: z.string().min(1).max(512),
    target: targetSchema.exactOptional(),
    targets: targetsSchema.exactOptional(),
    env: envSchema.exactOptional(),
    secrets: envSchema.exactOptional(),
    strategy: strategySchema.exactOptional(),
    idempotency_key: z.string().min(1).max(256).exactOptional(),
    force: z.boolean().exactOptional(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits").exactOptional(),
  }).refine(
    (p) => (p.target === undefined) !== (p.targets === undefined),
    "give either target or targets",
  ),
  get_deployment: deploymentId,
  list_deployments: z.object({
    service: serviceNameSchema.exactOptional(),
    limit: z.int().min(1).max(MAX_PAGE_SIZE).exactOptional(),
  }),
  cancel_deployment: deploymentId,
  rollback_service: z.object({
    name: serviceIdSchema,
    version: versionSchema.exactOptional(),
    targets: targetsSchema.exactOptional(),
  }),
  resume_deployment: z.object({
    deployment_id: z.string().min(1).max(128),
    secrets: envSchema.exactOptional(),
  }),
  list_packages: nothing,
  subscribe: z.object({
    events: z.array(namedEventSchema).min(1).exactOptional(),
    services: z.array(z.string().min(1).max(512)).min(1).max(MAX_SUBSCRIPTION_SERVICES)
      .exactOptional(),
    since: z.object({ epoch: z.string().max(128), seq: z.int().nonnegative() }).exactOptional(),
    snapshot: z.boolean().exactOptional(),
  }),
  unsubscribe: z.object({
    events: z.array(namedEventSchema).exactOptional(),
    subscription: text.exactOptional(),
  }),
};

/** All action names. */
export const ACTIONS: readonly Action[] = Object.keys(ACTION_PARAMS) as Action[];

/** Whether `value` names an action. */
export function isAction(value: string): value is Action {
  return Object.hasOwn(ACTION_PARAMS, value);
}

/**
 * Actions on the registry: their params, data and rights.
 *
 * @module
 */
import {
  endpointSchema,
  serviceEntrySchema,
  serviceIdSchema,
  serviceNameSchema,
  serviceStateSchema,
} from "../model/entry_schema.ts";
import { z } from "zod";
import type {
  Endpoint,
  EndpointInput,
  ServiceEntry,
  ServiceInput,
  ServiceState,
} from "../model/service.ts";
import {
  cursorSchema,
  dependsOnInputSchema,
  endpointsInputSchema,
  labelsInputSchema,
  lineSchema,
  proseSchema,
  serviceInputSchema,
  versionSchema,
} from "../model/service_schema.ts";
import {
  checkedChanges,
  checkedInput,
  fieldsOf,
  isProse,
  isState,
} from "../model/service_check.ts";
import { isServiceId } from "../model/service_id.ts";
import { MAX_PAGE_SIZE } from "../model/limits.ts";
import {
  type ActionTable,
  BY_NAME,
  countSchema,
  emptySchema,
  namesSchema,
} from "./action_table.ts";
import { timeSchema } from "./events.ts";

/** Params and data of the actions on the registry. */
export interface RegistryActions {
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
      endpoints?: EndpointInput[];
      labels?: Record<string, string>;
      depends_on?: string[];
      version?: string;
      state?: ServiceState;
      state_reason?: string | null;
    };
    data: ServiceEntry;
  };
  /** Removes a service from the registry; what runs is left alone, and what the server runs needs `force`. */
  deregister_service: {
    params: { name: string; if_revision?: number; force?: boolean };
    data: { removed: true; runs_on?: true };
  };
  /** Renews the lease of a service registered with `ttl_ms`; the first one makes it `running`. */
  heartbeat: { params: { name: string }; data: { expires_at: string } };
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
}

function quickRegistration(params: unknown): RegistryActions["register_service"]["params"] | null {
  const { service: given, replace } = fieldsOf(params) ?? {};
  const service = checkedInput(given);
  if (service === null) return null;
  if (replace === undefined) return { service };
  return typeof replace === "boolean" ? { service, replace } : null;
}

function quickChange(params: unknown): RegistryActions["update_service"]["params"] | null {
  const fields = fieldsOf(params);
  const changes = fields === null ? null : checkedChanges(fields);
  if (fields === null || changes === null) return null;
  const { name, if_revision, state, state_reason } = fields;
  if (!isServiceId(name) || !(state === undefined || isState(state))) return null;
  if (!(if_revision === undefined || isCount(if_revision))) return null;
  if (!(state_reason === undefined || state_reason === null || isProse(state_reason))) return null;
  return {
    name,
    ...(if_revision === undefined ? null : { if_revision }),
    ...changes,
    ...(state === undefined ? null : { state }),
    ...(state_reason === undefined ? null : { state_reason }),
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

const entries = z.array(serviceEntrySchema);
// The endpoint's schema does not show that it is an object, so it cannot be extended.
const resolvedEndpoint = z.intersection(endpointSchema, z.object({ id: z.string() }));

/** The actions on the registry. */
export const REGISTRY_ACTIONS: ActionTable<RegistryActions> = {
  list_services: {
    right: "read",
    params: z.object({
      name: lineSchema.exactOptional(),
      state: serviceStateSchema.exactOptional(),
      host: lineSchema.exactOptional(),
      label: lineSchema.exactOptional(),
      limit: z.int().min(1).max(MAX_PAGE_SIZE).exactOptional(),
      cursor: cursorSchema.exactOptional(),
    }),
    data: z.union([
      entries,
      z.object({ services: entries, next_cursor: z.string().nullable(), seq: countSchema }),
    ]),
  },
  get_service: { right: "read", ...BY_NAME, data: serviceEntrySchema },
  register_service: {
    right: "registry",
    params: z.object({ service: serviceInputSchema, replace: z.boolean().exactOptional() }),
    quick: quickRegistration,
    data: serviceEntrySchema,
  },
  update_service: {
    right: "registry",
    params: z.object({
      name: serviceIdSchema,
      if_revision: countSchema.exactOptional(),
      endpoints: endpointsInputSchema.exactOptional(),
      labels: labelsInputSchema.exactOptional(),
      depends_on: dependsOnInputSchema.exactOptional(),
      version: versionSchema.exactOptional(),
      state: serviceStateSchema.exactOptional(),
      state_reason: proseSchema.nullable().exactOptional(),
    }),
    quick: quickChange,
    data: serviceEntrySchema,
  },
  deregister_service: {
    right: "registry",
    params: z.object({
      name: serviceIdSchema,
      if_revision: countSchema.exactOptional(),
      force: z.boolean().exactOptional(),
    }),
    data: z.object({ removed: z.literal(true), runs_on: z.literal(true).exactOptional() }),
  },
  heartbeat: {
    right: "registry",
    ...BY_NAME,
    data: z.object({ expires_at: timeSchema }),
  },
  list_endpoints: {
    right: "read",
    params: emptySchema,
    data: z.record(z.string(), z.array(endpointSchema)),
  },
  resolve_endpoint: {
    right: "read",
    params: z.object({ service: serviceNameSchema, endpoint: lineSchema.exactOptional() }),
    data: z.array(resolvedEndpoint),
  },
  get_dependencies: {
    right: "read",
    ...BY_NAME,
    data: z.object({
      dependencies: namesSchema,
      dependents: namesSchema,
      unmet: namesSchema,
      start_order: z.array(namesSchema),
    }),
  },
};

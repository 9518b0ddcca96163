/**
 * Actions on running services: their params, data and rights.
 *
 * @module
 */
import { serviceIdSchema, serviceStateSchema } from "../model/entry_schema.ts";
import { z } from "zod";
import { SERVICE_ACTIONS, type ServiceAction, type ServiceState } from "../model/service.ts";
import { MAX_LOG_TAIL_LINES } from "../model/limits.ts";
import { type ActionTable, namesSchema } from "./action_table.ts";

/** One step of what a `service_action` with `cascade` or `dry_run` does: instances that are acted on at once. */
export interface ActionStep {
  /** What is done to each. */
  action: ServiceAction;
  /** Instance ids. */
  services: string[];
}

/** Params and data of the actions on running services. */
export interface LifecycleActions {
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
  /** The last log lines of a service. */
  service_logs: {
    params: { name: string; tail?: number; since?: string };
    data: { lines: string[] };
  };
}

/** The actions on running services. */
export const LIFECYCLE_ACTIONS: ActionTable<LifecycleActions> = {
  service_action: {
    right: "control",
    params: z.object({
      name: serviceIdSchema,
      action: z.enum(SERVICE_ACTIONS),
      cascade: z.boolean().exactOptional(),
      dry_run: z.boolean().exactOptional(),
    }),
    data: z.object({
      service: z.string(),
      old_state: serviceStateSchema,
      new_state: serviceStateSchema,
      waves: z.array(namesSchema).exactOptional(),
      plan: z.array(z.object({ action: z.enum(SERVICE_ACTIONS), services: namesSchema }))
        .exactOptional(),
    }),
  },
  service_logs: {
    right: "logs",
    params: z.object({
      name: serviceIdSchema,
      tail: z.int().min(0).max(MAX_LOG_TAIL_LINES).exactOptional(),
      since: z.iso.datetime({ offset: true, error: "must be a time in RFC 3339" }).exactOptional(),
    }),
    data: z.object({ lines: namesSchema }),
  },
};

/**
 * Actions that begin and end subscriptions: their params, data and rights.
 *
 * @module
 */
import { z } from "zod";
import { MAX_SUBSCRIPTION_SERVICES } from "../model/limits.ts";
import { distinct, lineOf, lineSchema } from "../model/service_schema.ts";
import { type ActionTable, countSchema } from "./action_table.ts";
import { namedEventSchema, type WireEventType } from "./events.ts";

/** How a subscription may begin: nothing was missed, the missed events follow, or all entries do. */
export const RESUME_MODES = ["live", "replayed", "snapshot"] as const;

/** How a subscription begins. */
export type ResumeMode = (typeof RESUME_MODES)[number];

/** Params and data of the actions on subscriptions. */
export interface SubscriptionActions {
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

const subscribed: z.ZodType<WireEventType[]> = z.array(namedEventSchema);

/** The actions on subscriptions. */
export const SUBSCRIPTION_ACTIONS: ActionTable<SubscriptionActions> = {
  subscribe: {
    right: "read",
    params: z.object({
      events: distinct(z.array(namedEventSchema).min(1)).exactOptional(),
      services: distinct(z.array(lineOf(512)).min(1).max(MAX_SUBSCRIPTION_SERVICES))
        .exactOptional(),
      since: z.object({ epoch: lineOf(128), seq: countSchema }).exactOptional(),
      snapshot: z.boolean().exactOptional(),
    }),
    data: z.object({
      subscribed,
      subscription: z.string(),
      epoch: z.string(),
      seq: countSchema,
      resumed: z.enum(RESUME_MODES),
    }),
  },
  unsubscribe: {
    right: "read",
    params: z.object({
      events: distinct(z.array(namedEventSchema)).exactOptional(),
      subscription: lineSchema.exactOptional(),
    }),
    data: z.object({ subscribed }),
  },
};

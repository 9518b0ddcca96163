/**
 * Handlers of the actions on subscriptions: the connection holds those.
 *
 * @module
 */
import type { SubscriptionActions } from "../../protocol/actions.ts";
import { isGlob } from "../../util/glob.ts";
import { requireRight } from "../access/rights.ts";
import { requireServiceInScope } from "../access/scope.ts";
import { type ActionHandlers, filtered } from "./action_handler.ts";

/** The handlers of the actions on subscriptions. */
export const SUBSCRIPTION_HANDLERS: ActionHandlers<SubscriptionActions> = {
  subscribe: {
    scope: ({ services = [] }, scope, { registry }) => {
      for (const one of services) {
        if (!isGlob(one)) requireServiceInScope(one, scope, registry);
      }
    },
    run: (params, _, context) => {
      if (params.events?.includes("service_log") === true) {
        requireRight("logs", context.access, "subscribe to service_log", context.tokenFile);
      }
      return context.subscribe(params);
    },
  },
  unsubscribe: { scope: filtered, run: (params, _, context) => context.unsubscribe(params) },
};

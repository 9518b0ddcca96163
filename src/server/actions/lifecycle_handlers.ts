/**
 * Handlers of the actions on running services.
 *
 * @module
 */
import type { LifecycleActions } from "../../protocol/actions.ts";
import { requireServiceInScope } from "../access/scope.ts";
import { type ActionHandlers, required } from "./action_handler.ts";
import { trustedInstance } from "./anonymous_rules.ts";

/** The handlers of the actions on running services. */
export const LIFECYCLE_HANDLERS: ActionHandlers<LifecycleActions> = {
  service_action: {
    scope: ({ name }, scope, { registry }) => requireServiceInScope(name, scope, registry),
    run: (params, backends, context) =>
      required(backends.services, "service_action", "lifecycle")
        .act(trustedInstance(params, backends), context),
  },
  service_logs: {
    scope: ({ name }, scope, { registry }) => requireServiceInScope(name, scope, registry),
    run: (params, { logReads }, context) =>
      required(logReads, "service_logs", "lifecycle").read(params, context),
  },
};

/**
 * What a service action answers when nothing was done.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { ActionData, ActionStep } from "../../protocol/actions.ts";
import type { ServiceEntry } from "../../model/service.ts";
import type { Registry } from "../../registry/registry.ts";

/** The outcome of an action that changed no state of the service itself: the plan, as ids and as names. */
export function unchanged(
  registry: Registry,
  { id, state }: ServiceEntry,
  plan: ActionStep[],
): ActionData<"service_action"> {
  const namesOf = ({ services }: ActionStep) => {
    return [...new Set(services.map((service) => registry.get(service).name))];
  };
  return { service: id, old_state: state, new_state: state, waves: plan.map(namesOf), plan };
}

/** Why a service that does not run cannot be reloaded. */
export function notRunning({ id, state }: ServiceEntry): HarnessError {
  return new HarnessError(
    "invalid_transition",
    `Cannot reload ${id}: it is ${state}; only a running service reloads`,
    { details: { id, from: state } },
  );
}

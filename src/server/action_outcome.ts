/**
 * What a service action answers when nothing was done.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { ActionData } from "../protocol/actions.ts";
import type { ServiceEntry } from "../registry/entry.ts";

/** The outcome of an action that changed no state of the service itself. */
export function unchanged(
  { id, state }: ServiceEntry,
  waves: string[][],
): ActionData<"service_action"> {
  return { service: id, old_state: state, new_state: state, waves };
}

/** Why a service that does not run cannot be reloaded. */
export function notRunning({ id, state }: ServiceEntry): HarnessError {
  return new HarnessError(
    "invalid_transition",
    `Cannot reload ${id}: it is ${state}; only a running service reloads`,
    { details: { id, from: state } },
  );
}

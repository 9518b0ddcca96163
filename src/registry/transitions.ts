/**
 * Which state may follow which.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { ServiceState } from "../model/service.ts";

const NEXT: Readonly<Record<ServiceState, readonly ServiceState[]>> = {
  registered: ["starting", "failed"],
  starting: ["running", "stopping", "failed"],
  running: ["stopping", "failed"],
  stopping: ["stopped", "failed"],
  stopped: ["starting", "failed"],
  failed: ["starting", "failed"],
};

/** Whether a service in state `from` may be set to `to`. */
export function canTransition(from: ServiceState, to: ServiceState): boolean {
  return NEXT[from].includes(to);
}

/**
 * Refuses a state change that is not allowed.
 *
 * @throws {HarnessError} `invalid_transition`, naming the states that are allowed.
 */
export function assertTransition(id: string, from: ServiceState, to: ServiceState): void {
  if (canTransition(from, to)) return;
  const allowed = NEXT[from];
  throw new HarnessError(
    "invalid_transition",
    `Cannot set "${id}" to ${to}: it is ${from}, which can only become ${allowed.join(" or ")}`,
    { details: { id, from, to, allowed: [...allowed] } },
  );
}

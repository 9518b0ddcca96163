/**
 * The way from one state to another by legal transitions, for whoever reports what already happened.
 *
 * @module
 */
import type { ServiceEntry, ServicePatch, ServiceState } from "../../model/service.ts";
import type { Registry } from "../../registry/registry.ts";
import type { UpdateOptions } from "../../registry/update_options.ts";

/** Next state on the way to `running` and to `stopped`; `failed` is one step from everywhere. */
const NEXT: Readonly<Record<"running" | "stopped", Partial<Record<ServiceState, ServiceState>>>> = {
  running: {
    registered: "starting",
    stopped: "starting",
    failed: "starting",
    starting: "running",
    stopping: "stopped",
  },
  stopped: {
    running: "stopping",
    starting: "stopping",
    stopping: "stopped",
    registered: "starting",
    failed: "starting",
  },
};

/** The states after `from` up to and including `to`. */
export function statePath(
  from: ServiceState,
  to: "running" | "stopped" | "failed",
): ServiceState[] {
  if (from === to) return [];
  if (to === "failed") return ["failed"];
  const path: ServiceState[] = [];
  for (let state = from; state !== to;) {
    state = NEXT[to][state] ?? to;
    path.push(state);
  }
  return path;
}

/** Takes an entry to a state step by step; `patch` is written with the last step. */
export async function advanceTo(
  registry: Registry,
  id: string,
  to: "running" | "stopped" | "failed",
  reason: string,
  patch: ServicePatch = {},
  options: UpdateOptions = {},
): Promise<ServiceEntry> {
  const path = statePath(registry.get(id).state, to);
  for (const state of path.slice(0, -1)) {
    await registry.update(id, { state, state_reason: reason });
  }
  const last = path.at(-1);
  return await registry.update(id, {
    ...patch,
    ...(last === undefined ? {} : { state: last }),
    state_reason: reason,
  }, options);
}

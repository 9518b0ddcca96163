/**
 * The state of an entry: read for the supervisor, and moved to what already happened by legal transitions.
 *
 * @module
 */
import type { UpdateOptions } from "../../registry/writer.ts";
import type { ServiceEntry, ServicePatch, ServiceState } from "../../model/service.ts";
import type { Registry } from "../../registry/registry.ts";
import type { RecordedState } from "../../lifecycle/supervisor/supervised_service.ts";
import type { RestartState } from "../../lifecycle/supervisor/restart_policy.ts";

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
function statePath(
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

/** Moves an entry to a state by legal transitions; `patch` is written with the last one. */
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

/** Whether it may have a process. */
export function isRunning({ state }: ServiceEntry): boolean {
  return state === "running" || state === "starting" || state === "stopping";
}

/** The recorded state of an entry, for the supervisor that adopts it. */
export function recordedState(
  entry: ServiceEntry,
  restarts: RestartState | null,
): RecordedState {
  const { state, execution, last_state_change } = entry;
  // The clock may have been set back: an uptime is never negative.
  const upMs = Math.max(0, Date.now() - Date.parse(last_state_change));
  return {
    running: isRunning(entry),
    stopping: state === "stopping",
    upMs: state === "running" ? upMs : 0,
    pid: "pid" in execution ? execution.pid : null,
    containerId: "container_id" in execution ? execution.container_id : null,
    restarts: restarts && { ...restarts, planned: restarts.planned && state === "failed" },
  };
}

/**
 * What the registry has recorded of a service, as a supervisor wants to know it.
 *
 * @module
 */
import type { RecordedState } from "../../lifecycle/supervisor/recorded_state.ts";
import type { RestartMemory } from "../../lifecycle/supervisor/restart_policy.ts";
import type { ServiceEntry } from "../../model/service.ts";

/** Whether there may be a process of it. */
export function isRunning({ state }: ServiceEntry): boolean {
  return state === "running" || state === "starting" || state === "stopping";
}

/** What the supervisor has to know of an entry that an earlier server, or a deployment, has left. */
export function recordedState(
  entry: ServiceEntry,
  restarts: RestartMemory | null,
): RecordedState {
  const { state, execution, last_state_change } = entry;
  // A clock that was set back makes no service run for less than no time.
  const upMs = Math.max(0, Date.now() - Date.parse(last_state_change));
  return {
    running: isRunning(entry),
    stopping: state === "stopping",
    upMs: state === "running" ? upMs : 0,
    pid: execution.type === "managed_process" ? execution.pid : null,
    containerId: execution.type === "docker_container" ? execution.container_id : null,
    restarts: restarts && { ...restarts, planned: restarts.planned && state === "failed" },
  };
}

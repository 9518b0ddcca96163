/**
 * Writes the events of the supervisor to the registry.
 *
 * @module
 */
import type { UpdateOptions } from "../../registry/writer.ts";
import { getLogger } from "../../util/log.ts";
import { HarnessError } from "../../errors.ts";
import { MAX_REASON_LENGTH } from "../limits.ts";
import type { ServiceStatus } from "../../lifecycle/service_spec.ts";
import type {
  AdoptedEvent,
  HealthEvent,
  HostEvent,
  StateEvent,
  SupervisorEvent,
} from "../../lifecycle/supervisor/events.ts";
import type { Execution, ServicePatch } from "../../model/service.ts";
import type { Registry } from "../../registry/registry.ts";
import { advanceTo } from "./entry_state.ts";

const log = getLogger(["harness", "server", "supervision"]);

/** Writes one event. Never throws: an error is logged, and the next poll reports the state again. */
export async function recordSupervisorEvent(
  registry: Registry,
  event: SupervisorEvent,
): Promise<void> {
  try {
    await record(registry, event);
  } catch (error) {
    // The entry was removed while its service was polled.
    if (error instanceof HarnessError && error.code === "not_found") return;
    log.error("Cannot record an event of type {type}: {error}", { type: event.type, error });
  }
}

async function record(registry: Registry, event: SupervisorEvent): Promise<void> {
  switch (event.type) {
    case "state":
      return await recordState(registry, event);
    case "health":
      return await recordHealth(registry, event);
    case "adopted":
      return await recordAdoption(registry, event);
    case "host":
      return await recordHost(registry, event);
    case "restart_scheduled":
      log.info("Restart {attempt} of {id} in {delayMs} ms: {reason}", { ...event });
      return;
    case "gave_up":
      log.warn("Gave up on {id} after {attempts} restarts: {history}", { ...event });
      return;
  }
}

async function recordState(registry: Registry, event: StateEvent): Promise<void> {
  const { id, state } = event;
  const entry = registry.get(id);
  const reason = event.reason.slice(0, MAX_REASON_LENGTH);
  const patch = event.status === null ? {} : executionPatch(entry.execution, event.status);
  try {
    await registry.update(id, { ...patch, state, state_reason: reason }, details(event));
  } catch (error) {
    const refused = error instanceof HarnessError && error.code === "invalid_transition";
    if (!refused) throw error;
    // A client has set the state meanwhile. The observed state wins.
    if (state === "starting" || state === "stopping") return;
    await advanceTo(registry, id, state, reason, patch, details(event));
  }
}

function details({ state, status, log: lines }: StateEvent): UpdateOptions {
  if (state !== "failed") return {};
  return {
    details: {
      exit_code: status?.exitCode ?? null,
      signal: status?.signal ?? null,
      log: lines,
    },
  };
}

async function recordHealth(registry: Registry, event: HealthEvent): Promise<void> {
  // The record may have changed since, for example while the host was unreachable.
  const known = registry.get(event.id).last_health_check?.healthy === event.healthy;
  if (known && !event.publish && !event.changed) return;
  const { checked_at, duration_ms } = event.result;
  await registry.recordHealth(event.id, {
    healthy: event.healthy,
    message: event.message.slice(0, MAX_REASON_LENGTH),
    checked_at,
    duration_ms,
  });
}

async function recordAdoption(registry: Registry, event: AdoptedEvent): Promise<void> {
  const { id, status, same } = event;
  const entry = registry.get(id);
  const patch = executionPatch(entry.execution, status);
  const reason = same ? "found running after a server restart" : "found running as another process";
  if (entry.state === "running" && same && Object.keys(patch).length === 0) return;
  await advanceTo(registry, id, "running", reason, patch);
}

/**
 * Records an unreachable host or container engine as a failed health check of its services, so that no client is sent
 * there. Their states stay: whether they run is unknown; for an engine this is in the state reason.
 */
async function recordHost(registry: Registry, event: HostEvent): Promise<void> {
  const { host, reachable, reason, ids, engine } = event;
  const what = engine ?? "host";
  if (reachable) log.info("{what} on {host} responds again", { what, host });
  else log.warn("{what} on {host} does not respond: {reason}", { what, host, reason });
  const checked_at = new Date().toISOString();
  for (const id of ids) {
    if (registry.get(id).state !== "running") continue;
    const message = reachable ? `${what} answers again` : `${what} does not answer: ${reason}`;
    if (engine !== undefined) {
      const state_reason = reachable ? message : `not known whether it runs: ${reason}`;
      await registry.update(id, { state_reason: state_reason.slice(0, MAX_REASON_LENGTH) });
    }
    await registry.recordHealth(id, {
      healthy: reachable,
      message: message.slice(0, MAX_REASON_LENGTH),
      checked_at,
      duration_ms: 0,
    });
  }
}

/** A patch with the pid or container that a controller observed; empty when unchanged. */
function executionPatch(execution: Execution, status: ServiceStatus): ServicePatch {
  if ("pid" in execution && execution.pid !== status.pid) {
    return { execution: { ...execution, pid: status.pid } };
  }
  if ("container_id" in execution && execution.container_id !== status.containerId) {
    return { execution: { ...execution, container_id: status.containerId } };
  }
  return {};
}

/**
 * Computes the next entry and the events for a change. Pure: nothing here knows the store.
 *
 * One change is one step of `revision`, however many fields it touches, with at most one event of each
 * kind: `service_updated` first (it carries the whole entry), then `service_state_changed`,
 * `endpoint_updated`, `health_check_result`.
 *
 * @module
 */
import type {
  CheckedServiceInput,
  CheckedServicePatch,
  Execution,
  HealthResult,
  ServiceEntry,
  ServiceState,
} from "../model/service.ts";
import type { EventBody, StateChangedData } from "../model/event.ts";
import { HarnessError } from "../errors.ts";
import { sameJson } from "../util/json.ts";
import { newEntry } from "./entry_text.ts";

/** The states that may follow each state. */
const NEXT: Readonly<Record<ServiceState, readonly ServiceState[]>> = {
  registered: ["starting", "failed"],
  starting: ["running", "stopping", "failed"],
  running: ["stopping", "failed"],
  stopping: ["stopped", "failed"],
  stopped: ["starting", "failed"],
  failed: ["starting", "failed"],
};

/**
 * Checks that a state change is allowed.
 *
 * @throws {HarnessError} `invalid_transition`, naming the states that are allowed.
 */
export function assertTransition(id: string, from: ServiceState, to: ServiceState): void {
  const allowed = NEXT[from];
  if (allowed.includes(to)) return;
  throw new HarnessError(
    "invalid_transition",
    `Cannot set "${id}" to ${to}: it is ${from}, which can only become ${allowed.join(" or ")}`,
    { details: { id, from, to, allowed: [...allowed] } },
  );
}

/** Reason of an entry whose lease expired; a heartbeat revives exactly these. */
export const HEARTBEAT_MISSED = "heartbeat missed";
/** Reason of an entry whose first heartbeat made it `running`. */
const HEARTBEAT = "heartbeat";
/** Reason of an entry that a heartbeat revived. */
const HEARTBEAT_RETURNED = "heartbeat returned";

/** An entry after a change, frozen, and the events of the change. */
export interface PlannedChange {
  /** The entry after the change. */
  entry: ServiceEntry;
  /** At least one. */
  events: EventBody[];
}

/** The first entry of a new id. */
export function planRegister(input: CheckedServiceInput, time: string): PlannedChange {
  const { name, version, execution, ttl_ms } = input;
  const entry = newEntry({
    id: input.id ?? name,
    name,
    version,
    execution,
    location: input.location ?? { type: "local" },
    endpoints: input.endpoints ?? [],
    depends_on: input.depends_on ?? [],
    state: "registered",
    state_reason: null,
    last_health_check: null,
    labels: input.labels ?? {},
    ...(ttl_ms === undefined ? {} : { ttl_ms }),
    revision: 1,
    registered_at: time,
    last_state_change: time,
    updated_at: time,
  });
  const data = { service: name, id: entry.id, entry };
  return { entry, events: [{ event: "service_registered", data }] };
}

/**
 * An existing entry registered again. The description is replaced whole; the observed part (state, reason,
 * health, pid or container, first registration) stays.
 */
export function planReplace(
  current: ServiceEntry,
  input: CheckedServiceInput,
  time: string,
): PlannedChange | null {
  const { ttl_ms: _, ...rest } = current;
  const next: ServiceEntry = {
    ...rest,
    name: input.name,
    version: input.version,
    execution: keepRuntime(current.execution, input.execution),
    location: input.location ?? { type: "local" },
    endpoints: input.endpoints ?? [],
    depends_on: input.depends_on ?? [],
    labels: input.labels ?? {},
    ...(input.ttl_ms === undefined ? {} : { ttl_ms: input.ttl_ms }),
  };
  return plan(current, next, time, { healthAlways: false });
}

/** Options for {@linkcode planUpdate}. */
export interface PlanUpdateOptions {
  /** Whether a health result is a change even when it equals the last one. */
  healthAlways: boolean;
  /** Facts for the event of a state change; not kept in the entry. */
  details?: Record<string, unknown> | undefined;
}

/**
 * An entry with a patch applied; `null` when nothing changes.
 *
 * A health result is a change when its verdict or message differ from the last one; its time and duration
 * alone are no change. It is valid for one run: an entry that begins to start, is stopped or has failed has
 * none.
 *
 * @throws {HarnessError} `invalid_transition`.
 */
export function planUpdate(
  current: ServiceEntry,
  patch: CheckedServicePatch,
  time: string,
  options: PlanUpdateOptions = { healthAlways: false },
): PlannedChange | null {
  const { state, state_reason } = patch;
  const next: ServiceEntry = { ...current, ...patch };
  if (state !== undefined) {
    assertTransition(current.id, current.state, state);
    next.state_reason = state_reason ?? null;
  }
  return plan(current, next, time, options);
}

/**
 * What a heartbeat makes of an entry: one that was `registered` or `starting`, or has missed its heartbeats, is
 * `running`; as one change, with an event for each step. `null` for any other: only who set its state changes it.
 */
export function planHeartbeat(current: ServiceEntry, time: string): PlannedChange | null {
  const { state, state_reason } = current;
  const isMissed = state === "failed" && state_reason === HEARTBEAT_MISSED;
  if (!isMissed && state !== "registered" && state !== "starting") return null;
  const reason = isMissed ? HEARTBEAT_RETURNED : HEARTBEAT;
  const entry = stamp(current, { ...current, state: "running", state_reason: reason }, time);
  const started = stateChanged(entry, "starting", "running");
  const events = state === "starting"
    ? [started]
    : [stateChanged(entry, state, "starting"), started];
  return { entry, events };
}

function plan(
  current: ServiceEntry,
  next: ServiceEntry,
  time: string,
  { healthAlways, details }: PlanUpdateOptions,
): PlannedChange | null {
  const stateMoves = next.state !== current.state;
  if (healthIsStale(current, next)) next.last_health_check = null;
  const endpointsChange = !sameJson(current.endpoints, next.endpoints);
  const health = healthChange(current, next, healthAlways);
  if (health === "none") next.last_health_check = current.last_health_check;
  const executionChange = !sameJson(current.execution, next.execution);
  const rest = current.name !== next.name || current.version !== next.version ||
    current.ttl_ms !== next.ttl_ms || (executionChange && !stateMoves) ||
    (current.state_reason !== next.state_reason && !stateMoves) ||
    (health === "cleared" && !stateMoves) ||
    !sameJson(current.location, next.location) || !sameJson(current.labels, next.labels) ||
    !sameJson(current.depends_on, next.depends_on);
  if (!stateMoves && !endpointsChange && health === "none" && !rest) return null;

  const entry = stamp(current, next, time);
  const { id, name: service, endpoints, revision } = entry;
  const events: EventBody[] = [];
  if (rest) events.push({ event: "service_updated", data: { service, id, entry } });
  if (stateMoves) {
    const also = {
      ...(executionChange ? { execution: entry.execution } : {}),
      ...(health === "cleared" ? { last_health_check: null } : {}),
      ...(details === undefined ? {} : { details }),
    };
    events.push(stateChanged(entry, current.state, entry.state, also));
  }
  if (endpointsChange) {
    events.push({ event: "endpoint_updated", data: { service, id, endpoints, revision } });
  }
  if (health === "result" && entry.last_health_check !== null) {
    const data = { service, id, ...entry.last_health_check, revision };
    events.push({ event: "health_check_result", data });
  }
  return { entry, events };
}

/** Completes `next`, which nobody else has yet. */
function stamp(current: ServiceEntry, next: ServiceEntry, time: string): ServiceEntry {
  next.revision = current.revision + 1;
  if (next.state !== current.state) next.last_state_change = time;
  next.updated_at = time;
  return newEntry(next);
}

function stateChanged(
  entry: ServiceEntry,
  old_state: ServiceState,
  new_state: ServiceState,
  also: Pick<StateChangedData, "execution" | "last_health_check" | "details"> = {},
): EventBody {
  const { id, name: service, state_reason: reason, revision } = entry;
  return {
    event: "service_state_changed",
    data: {
      service,
      id,
      old_state,
      new_state,
      reason,
      revision,
      ...also,
    },
  };
}

/**
 * Whether the health result belongs to an earlier run: a stopped service has none, and a new run has none
 * yet. So a result that arrives after its run has ended is dropped.
 */
function healthIsStale(current: ServiceEntry, next: ServiceEntry): boolean {
  if (next.state === "stopped" || next.state === "failed") return true;
  return next.state === "starting" && current.state !== "starting" &&
    next.last_health_check === current.last_health_check;
}

function healthChange(
  current: ServiceEntry,
  next: ServiceEntry,
  always: boolean,
): "none" | "result" | "cleared" {
  const before: HealthResult | null = current.last_health_check;
  const after: HealthResult | null = next.last_health_check;
  if (after === null) return before === null ? "none" : "cleared";
  if (always || before === null) return "result";
  return before.healthy !== after.healthy || before.message !== after.message ? "result" : "none";
}

/** Keeps the pid or container id: a new description does not concern the running process. */
function keepRuntime(current: Execution, wanted: Execution): Execution {
  if (wanted.type !== current.type) return wanted;
  if ("pid" in wanted && "pid" in current) {
    return { ...wanted, pid: wanted.pid ?? current.pid };
  }
  if ("container_id" in wanted && "container_id" in current) {
    return { ...wanted, container_id: wanted.container_id ?? current.container_id };
  }
  return wanted;
}

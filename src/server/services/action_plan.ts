/**
 * Computes which services a `service_action` with `cascade` touches, and in which order.
 *
 * @module
 */
import { HarnessError, toHarnessError } from "../../errors.ts";
import type { ActionData, ActionStep } from "../../protocol/actions.ts";
import { startOrder } from "../../registry/dependencies.ts";
import type { ServiceAction, ServiceEntry, ServiceState } from "../../model/service.ts";
import { assertTransition } from "../../registry/change.ts";
import type { Registry } from "../../registry/registry.ts";
import { requireCovered, type ServiceScope } from "../access/scope.ts";
import { isRunning } from "./entry_state.ts";
import type { Placements } from "./placements.ts";

/** The registered services that need `name`, directly or not, and `name` itself. */
function withDependents(registry: Registry, name: string): Set<string> {
  const found = new Set([name]);
  for (const next of found) {
    for (const dependent of registry.dependentsOf(next)) found.add(dependent);
  }
  return found;
}

/** The waves in which services are stopped: dependents come in earlier waves. The last is `name`. */
function stopWaves(registry: Registry, name: string): string[][] {
  const names = withDependents(registry, name);
  const needs = (of: string) => registry.needsOf(of).filter((needed) => names.has(needed));
  return startOrder(names, needs).reverse();
}

/** Whether a start with `cascade` starts it. */
export function isStartable({ state }: ServiceEntry): boolean {
  return state === "registered" || state === "stopped" || state === "failed";
}

/**
 * Whether an entry is of a process that is up and that this server never started: it is somebody else's, who sent its
 * heartbeat or set its state.
 */
export function isRunByOthers(entry: ServiceEntry, placements: Placements): boolean {
  return entry.execution.type === "managed_process" && isRunning(entry) &&
    placements.get(entry.id) === undefined;
}

/**
 * Refuses an action on what others run: a stop would record `stopped` of a process that goes on, and a restart would
 * start a second one beside it.
 */
export function assertRunHere(
  entry: ServiceEntry,
  action: ActionStep["action"],
  placements: Placements,
): void {
  if (action === "start" || !isRunByOthers(entry, placements)) return;
  throw new HarnessError(
    "conflict",
    `Cannot ${action} ${entry.id}: this server did not start the process; ${action} it where it runs`,
    { details: { reason: "run_by_others", id: entry.id, state: entry.state } },
  );
}

/** Input of {@linkcode cascadePlan}. */
export interface CascadeRequest {
  /** The instance that a client named. */
  entry: ServiceEntry;
  /** The action. */
  action: ActionStep["action"];
  /** Whether an instance has something to stop. */
  isStoppable: (entry: ServiceEntry) => boolean;
  /** Whether an instance may be started without being named. @default {all may} */
  isTrusted?: ((id: string) => boolean) | undefined;
  /** The services that the client's token is limited to. Left out: all. */
  scope?: ServiceScope | undefined;
}

/**
 * Computes the steps of an action with `cascade`, in order.
 *
 * A start starts dependencies first. A stop stops dependents first. A restart does both: it stops the dependents,
 * then the service; starts dependencies that do not run, then the service, and finally only the dependents that
 * it stopped.
 */
export function cascadePlan(registry: Registry, request: CascadeRequest): ActionStep[] {
  const { entry, action, isStoppable } = request;
  if (action === "reload") return [{ action, services: [entry.id] }];
  const pick = (waves: string[][], fits: (entry: ServiceEntry) => boolean) =>
    waves.map((names) => {
      return names.flatMap((name) => registry.list({ name })).filter(fits).map(({ id }) => id);
    });
  const stops = action === "start" ? [] : pick(stopWaves(registry, entry.name), isStoppable);
  const steps: ActionStep[] = stops.map((services) => ({ action: "stop", services }));
  if (action !== "stop") {
    const needed = registry.dependencies(entry.name).start_order;
    const own = stops.at(-1) ?? [];
    const starts = action === "start" ? pick(needed, isStartable) : [
      ...pick(needed.slice(0, -1), isStartable),
      own.includes(entry.id) || !isStartable(entry) ? own : [...own, entry.id],
      ...stops.slice(0, -1).reverse(),
    ];
    steps.push(...starts.map((services): ActionStep => ({ action: "start", services })));
  }
  for (const id of steps.flatMap(({ services }) => services)) {
    requireCovered(request.scope, registry.get(id).name);
  }
  checkTrust(request, steps);
  return steps.filter(({ services }) => services.length > 0);
}

/** Refuses to start an instance that was registered without a token, unless it was named. */
function checkTrust(
  { entry, action, isTrusted = () => true }: CascadeRequest,
  steps: readonly ActionStep[],
): void {
  const ids = steps.filter((step) => step.action === "start")
    .flatMap(({ services }) => services)
    .filter((id) => id !== entry.id && !isTrusted(id));
  if (ids.length === 0) return;
  throw new HarnessError(
    "conflict",
    `Cannot ${action} ${entry.id} with what it needs: ${
      ids.slice(0, 5).join(", ")
    } was registered ` +
      "by a client without a token; check its command, then start it by its own name",
    { details: { reason: "not_vouched", ids } },
  );
}

/** The outcome of an action before it changes anything: the plan, as ids and as names. */
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

/** Why an action cannot be carried out in a state. */
const IN_THE_WAY: Readonly<Record<ServiceState, string>> = {
  registered: "it was never started",
  starting: "it is being started",
  running: "it runs already",
  stopping: "it is being stopped",
  stopped: "it is stopped already",
  failed: "it has failed and does not run",
};

/**
 * Checks that an instance can be started, stopped or reloaded in its state.
 *
 * @throws {HarnessError} `invalid_transition`.
 */
export function assertPossible(
  entry: ServiceEntry,
  action: ServiceAction,
  awaitsRestart: boolean,
): void {
  const { id, state } = entry;
  if (action === "reload" && state !== "running") throw notRunning(entry);
  try {
    if (action === "start") assertTransition(id, state, "starting");
    if (action === "stop" && !awaitsRestart) assertTransition(id, state, "stopping");
  } catch (error) {
    const { code, details = {} } = toHarnessError(error);
    throw new HarnessError(code, `Cannot ${action} "${id}": ${IN_THE_WAY[state]}`, { details });
  }
}

/** The error for a reload of a service that does not run. */
function notRunning({ id, state }: ServiceEntry): HarnessError {
  return new HarnessError(
    "invalid_transition",
    `Cannot reload ${id}: it is ${state}; only a running service reloads`,
    { details: { id, from: state } },
  );
}

/**
 * Runs `service_action` and `service_logs`, and supervises services: the registry's states are what the supervisor
 * did or observed.
 *
 * @module
 */
import { sameJson } from "../../util/json.ts";
import { getLogger } from "../../util/log.ts";
import { healthTimeoutMs } from "../../deploy/health_timeout.ts";
import { HarnessError, messageOf, toHarnessError } from "../../errors.ts";
import { type LogParams, logRange } from "./service_logs.ts";
import { MAX_REASON_LENGTH } from "../limits.ts";
import { Supervisor } from "../../lifecycle/supervisor/supervisor.ts";
import type { SupervisorEvent } from "../../lifecycle/supervisor/events.ts";
import type { ActionData, ActionParams, ActionStep, Target } from "../../protocol/actions.ts";
import type { ServiceAction, ServiceEntry } from "../../model/service.ts";
import { KeyedMutex } from "../../util/keyed_mutex.ts";
import type { Registry } from "../../registry/registry.ts";
import * as plans from "./action_plan.ts";
import { type CallContext, callerText, type DocumentStore, type Services } from "../backends.ts";
import { describedPlacement } from "./entry_spec.ts";
import type { HostConnections } from "../hosts/host_connections.ts";
import { type HostDirectory, targetOf } from "../hosts/host_directory.ts";
import { HostRecords } from "../hosts/host_records.ts";
import { PlacedHosts } from "../hosts/placed_hosts.ts";
import { InstanceMap } from "./instance_map.ts";
import { type Placement, Placements } from "./placements.ts";
import { Ownership } from "../access/ownership.ts";
import { isRunning, recordedState } from "./entry_state.ts";
import { RestartStateStore } from "./restart_state.ts";
import { recordSupervisorEvent } from "./event_recorder.ts";
import type { VouchedEntries } from "../access/vouched_entries.ts";

/** Options for {@linkcode ServiceManager.open}. */
export interface ServiceManagerOptions {
  /** Where states are kept. */
  registry: Registry;
  /** Where placements are kept. */
  documents: DocumentStore;
  /** Finds hosts. */
  hosts: HostDirectory;
  /** Connections to them. */
  connections: HostConnections;
  /** Writable directory on this machine for pid files and logs of services without a package. */
  localRunRoot: string;
  /** Which entries were registered with the token. @default {all count as such} */
  vouched?: VouchedEntries | undefined;
}

type ActionOutcome = ActionData<"service_action">;

const log = getLogger(["harness", "server", "operator"]);

/** Manages and supervises services. */
export class ServiceManager implements Services, AsyncDisposable {
  /** Which instances are the server's own. */
  readonly ownership: Ownership;
  readonly #options: ServiceManagerOptions;
  /** How each service is run, and where; a new placement is supervised once it is released. */
  readonly placements: Placements;
  readonly #restarts: RestartStateStore;
  readonly #supervisor: Supervisor;
  readonly #perService = new KeyedMutex();
  /** Instances that a deployment works on, with its name. */
  readonly #reserved = new InstanceMap<string>();
  /** Ids of deregistered instances whose state is still being removed, one per deregistration. */
  readonly #forgetting: string[] = [];
  readonly #closing = new AbortController();
  readonly #machines: PlacedHosts;
  readonly #records: HostRecords;
  #unsubscribe: () => void;
  #adopting: Promise<unknown> = Promise.resolve();

  private constructor(
    options: ServiceManagerOptions,
    placements: Placements,
    restarts: RestartStateStore,
  ) {
    this.#options = options;
    this.placements = placements;
    this.#restarts = restarts;
    this.#machines = new PlacedHosts({ ...options, signal: this.#closing.signal });
    this.#records = new HostRecords({ ...options, placements, machines: this.#machines });
    this.ownership = new Ownership({ ...options, placements, reserved: this.#reserved });
    this.#supervisor = new Supervisor({
      executorFor: (host) => this.#machines.executorFor(host),
      onEvent: (event) => this.#onReport(event),
      confirmRestart: (id) => this.#records.assertActive(id),
    });
    this.#unsubscribe = options.registry.subscribe((event) => {
      if (event.event === "service_deregistered") this.#forget(event.data.id);
      // Also when it is registered again under its id, with another name.
      else if ("entry" in event.data) this.ownership.noteName(event.data);
    });
  }

  /** Opens the manager and starts to adopt services that an earlier server left running. */
  static async open(options: ServiceManagerOptions): Promise<ServiceManager> {
    const { documents, registry } = options;
    const restarts = await RestartStateStore.load(documents);
    const placements = await Placements.load(documents, (id) => registry.ofId(id)?.name);
    const manager = new ServiceManager(options, placements, restarts);
    manager.#adopting = Promise.all(manager.placements.all().map((p) => manager.#adopt(p)));
    return manager;
  }

  /** Runs an action; with `cascade` also on dependencies or dependents. */
  async act(params: ActionParams<"service_action">, context: CallContext): Promise<ActionOutcome> {
    const { registry } = this.#options;
    const entry = registry.get(params.name);
    const { action, cascade = false, dry_run = false } = params;
    this.#assertFree(entry.id, action);
    plans.assertRunHere(entry, action, this.placements);
    if (!cascade && !dry_run) return await this.#actOn(entry.id, action, context);
    if (!cascade) this.#assertPossible(entry, action);
    const plan = cascade
      ? plans.cascadePlan(registry, {
        entry,
        action,
        isStoppable: (e) => this.#isStoppable(e),
        isTrusted: (id) => this.ownership.isTrusted(id),
        scope: context.scope,
      })
      : [{ action, services: [entry.id] }];
    const outcome = plans.unchanged(registry, entry, plan);
    if (dry_run) return outcome;
    for (const step of plan) await this.#carryOutStep(step, context);
    return { ...outcome, new_state: registry.get(entry.id).state };
  }

  /** The last lines of a service's log. */
  async logs(params: LogParams, { signal }: CallContext): Promise<ActionData<"service_logs">> {
    const entry = this.#options.registry.get(params.name);
    const controller = await this.#machines.controller(this.#placementOf(entry));
    const { lines, ...from } = logRange(params);
    return { lines: await controller.logs(lines, { signal, ...from }) };
  }

  /** New lines of an instance's log until `signal` fires. */
  async *follow(id: string, signal: AbortSignal): AsyncGenerator<string> {
    yield* this.#machines.follow(this.#placementOf(this.#options.registry.get(id)), signal);
  }

  /** The target of an entry. */
  targetOf(entry: ServiceEntry): Target {
    return this.placements.get(entry.id)?.target ?? targetOf(entry.location);
  }

  /** Forgets earlier crashes of an instance, and with them a restart that is due. */
  async forgetRestarts(id: string): Promise<void> {
    await this.#restarts.remove(id);
  }

  /**
   * Reserves instances for a deployment: waits for actions under way, then stops supervising them and refuses
   * actions of clients until {@linkcode ServiceManager.release}.
   */
  async reserve(ids: readonly string[], owner: string): Promise<void> {
    for (const id of ids) this.#reserved.set(id, owner, this.#options.registry.ofId(id)?.name);
    for (const id of ids) {
      await this.#perService.run(id, () => this.#supervisor.unwatch(id));
    }
  }

  /** Releases instances: they are adopted and supervised again. */
  async release(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#reserved.delete(id);
    await Promise.all(ids.map(async (id) => {
      const placement = this.placements.get(id);
      if (placement !== undefined) await this.#adopt(placement);
    }));
  }

  /** Stops supervising; services keep running. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe();
    this.#closing.abort(new HarnessError("cancelled", "The server is shutting down"));
    await this.#supervisor[Symbol.asyncDispose]();
    await this.#adopting;
  }

  /** Runs an action of a client and logs its begin and end. */
  async #actOn(id: string, action: ServiceAction, context: CallContext): Promise<ActionOutcome> {
    log.info("{action} of {id} by {by} begins", { action, id, by: callerText(context) });
    try {
      const outcome = await this.#inTurn(id, action, context.signal);
      log.info("{action} of {service} ended: {old_state} → {new_state}", { action, ...outcome });
      return outcome;
    } catch (error) {
      log.warn("{action} of {id} failed: {code}", { action, id, code: toHarnessError(error).code });
      throw error;
    }
  }

  async #inTurn(id: string, action: ServiceAction, signal: AbortSignal): Promise<ActionOutcome> {
    return await this.#perService.run(id, async () => {
      this.#assertFree(id, action);
      await this.#followHost(id, action);
      const entry = this.#options.registry.get(id);
      plans.assertRunHere(entry, action, this.placements);
      const placement = await this.#supervise(entry);
      await this.#carryOut(entry, placement, action, signal);
      return {
        service: id,
        old_state: entry.state,
        new_state: this.#options.registry.get(id).state,
      };
    });
  }

  /** Refuses an action while a deployment has the service. */
  #assertFree(id: string, action: ServiceAction): void {
    const owner = this.#reserved.get(id);
    if (owner === undefined) return;
    throw new HarnessError(
      "conflict",
      `Cannot ${action} ${id}: ${owner} is under way; wait for it or cancel it`,
      { details: { id, owner } },
    );
  }

  async #carryOut(
    entry: ServiceEntry,
    { spec }: Placement,
    action: ServiceAction,
    signal: AbortSignal,
  ): Promise<void> {
    const { id } = entry;
    this.#assertPossible(entry, action);
    const start = spec.health === null
      ? { signal }
      : { signal, healthTimeoutMs: healthTimeoutMs(spec) };
    switch (action) {
      case "start":
        await this.#restarts.remove(id);
        await this.#supervisor.start(id, start);
        return;
      case "stop":
        await this.#stop(id, signal);
        return;
      case "restart":
        await this.#restarts.remove(id);
        if (!isRunning(entry)) await this.#supervisor.start(id, start);
        else if (this.#isReplaced(entry)) await this.#restartAnew(id, signal);
        else await this.#supervisor.restart(id, start);
        return;
      case "reload":
        await this.#supervisor.reload(id, { signal });
        return;
    }
  }

  #assertPossible(entry: ServiceEntry, action: ServiceAction): void {
    plans.assertPossible(entry, action, this.#awaitsRestart(entry));
  }

  /** Whether it has failed and its policy is about to start it again. */
  #awaitsRestart({ id, state }: ServiceEntry): boolean {
    if (state !== "failed") return false;
    // Soon after a start of the server only the record has it.
    return this.#supervisor.awaitsRestart(id) || this.#restarts.get(id)?.planned === true;
  }

  /** Stops an instance; one that crashed before its turn stays `failed`, and stays down. */
  async #stop(id: string, signal: AbortSignal): Promise<void> {
    await this.#restarts.remove(id);
    try {
      await this.#supervisor.stop(id, { signal });
    } finally {
      // A crash may have been recorded while the stop ran.
      await this.#restarts.remove(id);
    }
    const { registry } = this.#options;
    const { state, state_reason } = registry.get(id);
    if (state !== "failed") return;
    const reason = `stopped by client; before that: ${state_reason}`;
    await registry.update(id, { state_reason: reason.slice(0, MAX_REASON_LENGTH) });
  }

  /** Whether an entry has been replaced since its service was started. */
  #isReplaced(entry: ServiceEntry): boolean {
    const known = this.placements.get(entry.id);
    return known?.origin === "registered" &&
      !sameJson(known, describedPlacement(entry, this.#options));
  }

  /** Stops the running service and starts the one that the entry describes now. */
  async #restartAnew(id: string, signal: AbortSignal): Promise<void> {
    await this.#supervisor.stop(id, { signal });
    await this.#supervise(this.#options.registry.get(id));
    await this.#supervisor.start(id, { signal });
  }

  /** Runs a step on its instances concurrently, except those that need it no more. */
  async #carryOutStep({ action, services }: ActionStep, context: CallContext): Promise<void> {
    const isLeft = (entry: ServiceEntry) =>
      action === "start"
        ? plans.isStartable(entry) && this.ownership.isTrusted(entry.id)
        : action !== "stop" || this.#isStoppable(entry);
    const { registry } = this.#options;
    const entries = services.flatMap((id) => registry.ofId(id) ?? []).filter(isLeft);
    const results = await Promise.allSettled(
      entries.map((entry) => this.#actOn(entry.id, action, context)),
    );
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** Whether a stop with `cascade` stops it. */
  #isStoppable(entry: ServiceEntry): boolean {
    if (plans.isRunByOthers(entry, this.placements)) return false;
    return entry.state === "running" || entry.state === "starting" || this.#awaitsRestart(entry);
  }

  /** Makes sure that an entry is supervised. */
  async #supervise(entry: ServiceEntry): Promise<Placement> {
    const placement = this.#placementOf(entry);
    const isNew = !sameJson(this.placements.get(entry.id), placement);
    if (isNew) await this.placements.put(placement);
    if (isNew || !this.#supervisor.watches(entry.id)) {
      await this.#supervisor.watch(this.#machines.watched(placement), {
        running: isRunning(entry),
      });
    }
    return placement;
  }

  /** Adopts a service that may run already, and supervises it from then on. */
  async #adopt(placement: Placement): Promise<void> {
    const { id } = placement;
    try {
      // An unreachable host is polled later; until then the placement counts.
      placement = await this.#records.follow(placement).catch(() => placement);
      const recorded = recordedState(this.#options.registry.get(id), this.#restarts.get(id));
      await this.#supervisor.adopt(this.#machines.watched(placement), recorded);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      const known = error instanceof HarnessError;
      if (known && error.code === "not_found") await this.#drop(id);
      else log.warn("Cannot adopt {id} yet: {why}", { id, why: messageOf(error) });
    }
  }

  /** Follows the host's own record before a deployed service is acted on. */
  async #followHost(id: string, action?: ServiceAction): Promise<void> {
    const placement = this.placements.deployedAs(id);
    if (placement === null) return;
    const current = await this.#records.follow(placement);
    if (action === "start" || action === "restart") await this.#records.assertActive(id);
    if (current !== placement) await this.#adopt(current);
  }

  /** An unrequested change may come from another server: compares with the host's record again. */
  #lookAgain(id: string): void {
    const look = async () => this.#reserved.has(id) ? undefined : await this.#followHost(id);
    this.#records.whenSettled(id, this.#closing.signal, () => this.#perService.run(id, look));
  }

  async #onReport(event: SupervisorEvent): Promise<void> {
    // A late event about a deregistered entry does not concern a new one of the same id.
    const isForgotten = () => "id" in event && this.#forgetting.includes(event.id);
    if (isForgotten()) return;
    if (event.type === "state" && event.restarts !== undefined) {
      await this.#restarts.note(event.id, event.restarts);
      if (isForgotten()) return;
    }
    await recordSupervisorEvent(this.#options.registry, event);
    if (event.type === "state" && event.cause !== "request") this.#lookAgain(event.id);
    // Once the restart has worked, it must not apply to a later failure.
    if (event.type === "adopted" || (event.type === "state" && event.state === "running")) {
      await this.#restarts.done(event.id);
    }
  }

  #forget(id: string): void {
    // The service itself keeps running. Queued with the actions, so that one on a new entry of the same id
    // comes after.
    const forget = async () => {
      await this.#supervisor.unwatch(id);
      await this.#drop(id);
    };
    this.#forgetting.push(id);
    this.#perService.run(id, forget)
      .catch((error) => log.error("Cannot remove the state of {id}: {error}", { id, error }))
      .finally(() => this.#forgetting.splice(this.#forgetting.indexOf(id), 1));
  }

  async #drop(id: string): Promise<void> {
    await this.placements.remove(id);
    await this.#restarts.remove(id);
  }

  /** The placement of a running service; for one that does not run, the placement for its next start. */
  #placementOf(entry: ServiceEntry): Placement {
    const known = this.placements.get(entry.id);
    if (known !== undefined && (known.origin === "deployed" || isRunning(entry))) return known;
    return describedPlacement(entry, this.#options);
  }
}

/**
 * Polls the services of one machine: one command at a time for all of them, whatever their number. Now and then, and when
 * the machine's watcher says that something has changed.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { HarnessError, messageOf } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import { FALSE_HINT_INTERVAL_MS, MAX_HINTED_POLLS, TRUE_HINT_INTERVAL_MS } from "../limits.ts";
import type { ObservedStatus, WatchPoint } from "../drivers/driver.ts";
import { hostStatus } from "./host_status.ts";
import { HostWatcher } from "./host_watcher.ts";
import { sleep } from "../../util/async.ts";
import type { ServiceReconciler } from "./service_reconciler.ts";
import type { HostEvent, HostKey } from "./events.ts";

/** Options for {@linkcode HostPoller}. */
export interface HostPollerOptions {
  /** The machine. */
  host: HostKey;
  /** Its executor. */
  executor: () => Promise<Executor>;
  /** Time between polls. */
  intervalMs: number;
  /** Time between polls while a watcher watches all services. */
  watchedIntervalMs: number;
  /** Called when the machine stops or begins to respond. */
  onHost: (event: HostEvent) => void | Promise<void>;
}

/** Polls one machine's services for as long as there are any. */
export class HostPoller implements AsyncDisposable {
  readonly #options: HostPollerOptions;
  readonly #services = new Map<string, ServiceReconciler>();
  readonly #stop = new AbortController();
  readonly #watcher: HostWatcher;
  /** Services that the watcher says have changed. */
  readonly #hinted = new Set<string>();
  /** Whether a poll is due at once. */
  #urgent = false;
  #foundChange = false;
  /** When the polls because of hints would be over at the pace of a machine without a watcher. */
  #paidUntil = 0;
  #awaken: () => void = () => undefined;
  #loop: Promise<void> | null = null;
  #reachable = true;
  /** Services whose engine does not report them now. */
  readonly #unknown = new Set<string>();
  /** The polls of services by their engine that have not ended. */
  readonly #polls = new Map<string, Promise<void>>();
  #batch: { services: ServiceReconciler[]; found: Promise<(ObservedStatus | null)[]> } | null =
    null;
  #inspecting: Promise<unknown> = Promise.resolve();

  /** A poller without services. */
  constructor(options: HostPollerOptions) {
    this.#options = options;
    this.#watcher = new HostWatcher({
      points: () => this.#watchPoints(),
      onHint: (ids) => this.#onHint(ids),
      onLost: () => this.#hurry(),
    });
  }

  /** Whether it has no services. */
  get empty(): boolean {
    return this.#services.size === 0;
  }

  /** Adds a service. */
  add(service: ServiceReconciler): void {
    this.#services.set(service.service.id, service);
    this.#watcher.update();
    // It may be one that has to be polled more often.
    this.#awaken();
    this.#loop ??= this.#run();
  }

  /** Watches the services as they are now: one of them has begun or ended otherwise than by a poll. */
  rewatch(): void {
    this.#watcher.update();
  }

  /** Removes a service. */
  remove(id: string): void {
    this.#services.delete(id);
    this.#hinted.delete(id);
    this.#unknown.delete(id);
    this.#watcher.update();
  }

  /** Polls one service. Calls that come together share one command: hundreds may be adopted at once. */
  async inspect(service: ServiceReconciler): Promise<ObservedStatus | null> {
    const batch = this.#batch ??= this.#openBatch();
    const at = batch.services.push(service) - 1;
    return (await batch.found)[at] ?? null;
  }

  /** Polls everything now: for callers that cannot wait for the next turn. */
  async poll(): Promise<void> {
    await Promise.all([undefined, ...this.#engines()].map((engine) => this.#pollServices(engine)));
  }

  /** One turn of the loop. An engine that hangs does not delay the state of the other services. */
  async #turn(signal: AbortSignal): Promise<void> {
    const polls = this.#engines().map((engine) => this.#pollEngine(engine));
    await this.#pollServices(undefined);
    if (polls.length === 0) return;
    await Promise.race([Promise.all(polls), sleep(this.#options.intervalMs, signal)]);
  }

  /** The engines of the services, such as docker: daemons that may not respond while the machine does. */
  #engines(): string[] {
    const engines = [...this.#services.values()].map(({ engine }) => engine);
    return [...new Set(engines.filter((engine) => engine !== undefined))];
  }

  /** One poll of an engine at a time. */
  #pollEngine(engine: string): Promise<void> {
    const running = this.#polls.get(engine);
    if (running !== undefined) return running;
    const poll = this.#pollServices(engine).finally(() => this.#polls.delete(engine));
    this.#polls.set(engine, poll);
    // A turn that stops waiting for it has not failed.
    poll.catch(() => undefined);
    return poll;
  }

  async #pollServices(engine: string | undefined): Promise<void> {
    const services = [...this.#services.values()].filter((each) =>
      !each.busy && each.engine === engine
    );
    if (services.length === 0) return;
    const before = services.map((service) => service.generation);
    const found = await this.#statusOf(services);
    await Promise.all(services.map(async (service, at) => {
      const status = found[at] ?? null;
      if (status === null || !this.#services.has(service.service.id)) return;
      await service.observe(status, before[at] ?? -1);
      if (service.generation !== before[at]) this.#foundChange = true;
    }));
    const polled = services.map(({ service }) => service.id);
    this.#watcher.update(polled.filter((id) => this.#hinted.delete(id)));
  }

  /** Stops polling. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new HarnessError("cancelled", "Supervision ended"));
    this.#awaken();
    await this.#watcher[Symbol.asyncDispose]();
    await this.#loop;
    await Promise.allSettled(this.#polls.values());
    await this.#inspecting;
  }

  /** A batch that takes services in until the one before it is done. */
  #openBatch(): { services: ServiceReconciler[]; found: Promise<(ObservedStatus | null)[]> } {
    const services: ServiceReconciler[] = [];
    const found = this.#inspecting.then(() => {
      this.#batch = null;
      return this.#statusOf(services);
    });
    this.#inspecting = found.catch(() => undefined);
    return { services, found };
  }

  async #statusOf(services: readonly ServiceReconciler[]): Promise<(ObservedStatus | null)[]> {
    const queries = services.map(({ service: { spec, systemd } }) => ({ spec, systemd }));
    const executor = await this.#options.executor();
    const silent = new Map<string, string>();
    const found = await hostStatus(executor, queries, {
      signal: this.#stop.signal,
      onUnknown: (index, reason) => silent.set(services[index]?.service.id ?? "", reason),
    });
    this.#watcher.start(executor);
    await this.#report(true, "");
    await this.#reportEngines(services, silent);
    return found;
  }

  /** Reports the services whose engine stopped or began to report them. */
  async #reportEngines(
    polled: readonly ServiceReconciler[],
    silent: ReadonlyMap<string, string>,
  ): Promise<void> {
    for (const engine of new Set(polled.map((service) => service.engine))) {
      if (engine === undefined) continue;
      const watched = polled.filter((service) => service.engine === engine)
        .map(({ service }) => service.id).filter((id) => this.#services.has(id));
      await this.#reportEngine(engine, watched, silent);
    }
  }

  async #reportEngine(
    engine: string,
    watched: readonly string[],
    silent: ReadonlyMap<string, string>,
  ): Promise<void> {
    const lost = watched.filter((id) => silent.has(id) && !this.#unknown.has(id));
    const back = watched.filter((id) => !silent.has(id) && this.#unknown.has(id));
    for (const id of lost) this.#unknown.add(id);
    for (const id of back) this.#unknown.delete(id);
    const { host, onHost } = this.#options;
    const event = { type: "host", host, engine } as const;
    const reason = silent.get(lost[0] ?? "") ?? "";
    if (lost.length > 0) await onHost({ ...event, reachable: false, reason, ids: lost });
    if (back.length > 0) await onHost({ ...event, reachable: true, reason: "", ids: back });
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    // A machine that does not answer now is polled as ever.
    this.#options.executor().then((executor) => this.#watcher.start(executor), () => undefined);
    while (!signal.aborted) {
      const hinted = await this.#wait(signal);
      if (signal.aborted) return;
      this.#foundChange = false;
      try {
        await this.#turn(signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#failed(error);
      } finally {
        if (hinted) this.#pay();
      }
    }
  }

  /** Waits for the next poll, or for a hint that asks for one earlier; returns whether there was one. */
  async #wait(signal: AbortSignal): Promise<boolean> {
    const begun = performance.now();
    while (!signal.aborted) {
      const hintAt = this.#urgent ? this.#mayHurryAt() : Infinity;
      const waitMs = Math.min(begun + this.#intervalMs(), hintAt) - performance.now();
      if (waitMs <= 0) break;
      const woken = new AbortController();
      this.#awaken = () => woken.abort();
      await sleep(waitMs, woken.signal);
    }
    const hinted = this.#urgent;
    this.#urgent = false;
    return hinted;
  }

  #intervalMs(): number {
    const { intervalMs, watchedIntervalMs } = this.#options;
    const all = [...this.#services.keys()].every((id) => this.#watcher.watches(id));
    return all ? watchedIntervalMs : intervalMs;
  }

  /** Some hints are followed at once, further ones at the pace of {@linkcode HostPoller.#pay}. */
  #mayHurryAt(): number {
    return this.#paidUntil - (MAX_HINTED_POLLS - 1) * FALSE_HINT_INTERVAL_MS;
  }

  /** Charges the poll that a hint has caused: where nothing had changed, as much as one without a watcher. */
  #pay(): void {
    const ms = this.#foundChange ? TRUE_HINT_INTERVAL_MS : FALSE_HINT_INTERVAL_MS;
    this.#paidUntil = Math.max(performance.now(), this.#paidUntil) + ms;
  }

  #hurry(): void {
    this.#urgent = true;
    this.#awaken();
  }

  #onHint(ids: readonly string[]): void {
    const changed = ids.filter((id) => this.#services.get(id)?.busy === false);
    for (const id of changed) this.#hinted.add(id);
    if (changed.length > 0) this.#hurry();
  }

  #watchPoints(): ReadonlyMap<string, WatchPoint> {
    return new Map([...this.#services].flatMap(([id, service]) => {
      const point = service.watchPoint;
      return point === null ? [] : [[id, point]];
    }));
  }

  async #failed(error: unknown): Promise<void> {
    const gone = error instanceof HarnessError &&
      (error.code === "unreachable" || error.code === "timeout");
    if (gone) return await this.#report(false, error.message);
    getLogger(["harness", "lifecycle"]).error("Cannot poll the services on {host}: {why}", {
      host: this.#options.host,
      why: messageOf(error),
      error,
    });
  }

  async #report(reachable: boolean, reason: string): Promise<void> {
    if (reachable === this.#reachable) return;
    this.#reachable = reachable;
    const ids = [...this.#services.keys()];
    await this.#options.onHost({ type: "host", host: this.#options.host, reachable, reason, ids });
  }
}

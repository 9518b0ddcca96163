/**
 * The registry: what is known of every service, changed in one order and told to whoever listens.
 *
 * Reads are answered from memory. A change is planned from the entry as it is, made durable by the store,
 * and only then becomes visible, is acknowledged and told: memory is a fold over the store's records and
 * never runs ahead of them.
 *
 * @module
 */
import { LEASE_RETRY_MS, MAX_SERVICES } from "./limits.ts";
import * as changes from "./change.ts";
import type { DependencyInfo } from "./dependencies.ts";
import type {
  Endpoint,
  HealthResult,
  ServiceEntry,
  ServiceInput,
  ServicePatch,
} from "../model/service.ts";
import { EntryIndex } from "./entry_index.ts";
import { EventBus } from "./event_bus.ts";
import type { EventsOptions } from "./event_stream.ts";
import type { RegistryEvent, StandaloneEvent } from "../model/event.ts";
import { type ServiceFilter, serviceMatcher } from "./filter.ts";
import { DependencyGraph } from "./graph.ts";
import { KeyedMutex } from "../util/keyed_mutex.ts";
import { LeaseKeeper, needsHeartbeat } from "./leases.ts";
import { alreadyExists, full, noLease, otherRevision } from "./errors.ts";
import * as queries from "./queries.ts";
import type { PageOptions, ServicePage } from "./queries.ts";
import type { CommitRecord, LoadedState, Store } from "./store.ts";
import { parseInput, parsePatch } from "./validate.ts";
import type {
  IfRevision,
  RegisterOptions,
  RegistryOptions,
  UpdateOptions,
} from "./update_options.ts";

/**
 * A registry of services over a {@linkcode Store}.
 *
 * Entries it returns are frozen and shared: they never change, a change makes new ones.
 *
 * @example Usage
 * ```ts
 * import { MemoryStore, Registry } from "@harness/service-registry";
 *
 * await using registry = await Registry.open(new MemoryStore());
 * await registry.register({
 *   name: "web",
 *   version: "1.0.0",
 *   execution: { type: "systemd_service", unit_name: "web.service" },
 * });
 * await registry.update("web", { state: "starting" });
 * console.assert(registry.get("web").state === "starting");
 * ```
 */
export class Registry implements AsyncDisposable {
  /** Lineage of the data: a UUID, new whenever seqs of before may mean something else now. */
  readonly epoch: string;
  /** What was repaired or lost while loading, one sentence each. */
  readonly warnings: readonly string[];
  readonly #store: Store;
  readonly #now: () => number;
  readonly #maxServices: number;
  readonly #index = new EntryIndex();
  readonly #graph = new DependencyGraph(this.#index);
  readonly #locks = new KeyedMutex();
  readonly #leases: LeaseKeeper;
  readonly #bus = new EventBus();
  /** Ids on their way to the store for the first time. */
  readonly #registering = new Set<string>();
  #seq: number;
  #problem: string | null = null;
  #closed = false;

  private constructor(store: Store, loaded: LoadedState, options: RegistryOptions) {
    this.#store = store;
    this.#leases = new LeaseKeeper(store);
    this.#now = options.now ?? Date.now;
    this.#maxServices = options.maxServices ?? MAX_SERVICES;
    this.epoch = loaded.epoch;
    this.warnings = loaded.warnings;
    this.#seq = loaded.seq;
    this.#index.load(loaded.services.map(changes.freeze));
  }

  /**
   * Opens the store and loads what it holds. Leases start anew.
   *
   * @throws {HarnessError} `conflict` when another process owns the data, `storage_unavailable` when it
   * cannot be read.
   */
  static async open(store: Store, options: RegistryOptions = {}): Promise<Registry> {
    const early: CommitRecord[] = [];
    let registry: Registry | null = null;
    let problem: string | null = null;
    const loaded = await store.open({
      onCommit: (record) => registry === null ? void early.push(record) : registry.#apply(record),
      onLeaseExpired: (id) => registry === null ? undefined : void registry.#expire(id),
      onHealth: (now) => registry === null ? problem = now : registry.#problem = now,
    });
    registry = new Registry(store, loaded, options);
    registry.#problem = problem;
    for (const record of early) registry.#apply(record);
    await registry.#leases.start(registry.#index.sorted);
    return registry;
  }

  /** Seq of the last event. */
  get seq(): number {
    return this.#seq;
  }

  /** Number of entries. */
  get size(): number {
    return this.#index.size;
  }

  /** Why changes are refused at present, or `null` when all is well. */
  get problem(): string | null {
    return this.#problem;
  }

  /** The entries that match, sorted by id. */
  list(filter: ServiceFilter = {}): ServiceEntry[] {
    return this.#index.select(filter).filter(serviceMatcher(filter));
  }

  /** What {@linkcode list} looks through now, after a cursor: for who filters it in pieces. */
  select(filter: ServiceFilter, cursor?: string): Iterable<ServiceEntry> {
    return this.#index.after(filter, queries.idOf(cursor));
  }

  /** The entries that match, a page at a time, and the seq that the page is of. */
  page(filter: ServiceFilter, page: PageOptions): ServicePage & { seq: number } {
    return { ...queries.pageOf(this.#index, filter, page), seq: this.#seq };
  }

  /**
   * The entry of an id, or of a name that has one instance.
   *
   * @throws {HarnessError} `not_found`, or `ambiguous` with `details.ids`.
   */
  get(nameOrId: string): ServiceEntry {
    return queries.findEntry(this.#index, nameOrId);
  }

  /**
   * Registers a service. With `replace` an entry of the same id gets the new description and keeps its
   * state; a description that equals the old one is no change.
   *
   * @throws {HarnessError} `invalid_params` (a cycle, too), `already_exists`, `too_large`, `storage_unavailable`.
   */
  async register(input: ServiceInput, options: RegisterOptions = {}): Promise<ServiceEntry> {
    const checked = parseInput(input);
    const id = checked.id ?? checked.name;
    return await this.#locks.run(id, async () => {
      const current = this.#index.get(id);
      if (current !== undefined && options.replace !== true) throw alreadyExists(current);
      options.admit?.(current ?? null);
      const time = this.#time();
      if (!current) return await this.#registerNew(changes.planRegister(checked, time));
      const planned = changes.planReplace(current, checked, time);
      return await this.#commit(current, planned, { leases: true });
    });
  }

  /**
   * Changes what the patch names, as one atomic change: one revision, one place in the order, at most one
   * event of each kind. Without `state`, values that are as they were are no change; a `state` must be a
   * legal transition, so of several simultaneous `{ state: "starting" }` exactly one wins.
   *
   * @throws {HarnessError} `not_found`, `ambiguous`, `invalid_params`, `invalid_transition`, `conflict`,
   * `storage_unavailable`.
   */
  async update(
    nameOrId: string,
    patch: ServicePatch,
    options: UpdateOptions = {},
  ): Promise<ServiceEntry> {
    const checked = parsePatch(nameOrId, patch);
    return await this.#change(nameOrId, options, (entry) => {
      return changes.planUpdate(entry, checked, this.#time(), {
        healthAlways: false,
        details: options.details,
      });
    });
  }

  /**
   * Records a health result and tells of it even when it says what the last one said: the slow heartbeat
   * of health. {@linkcode update} records only results that say something new. Of an entry that is `stopped`
   * or `failed` nothing is recorded: the result is of a run that is over.
   *
   * @throws {HarnessError} `not_found`, `ambiguous`, `invalid_params`, `storage_unavailable`.
   */
  async recordHealth(nameOrId: string, result: HealthResult): Promise<ServiceEntry> {
    const checked = parsePatch(nameOrId, { last_health_check: result });
    return await this.#change(nameOrId, {}, (entry) => {
      return changes.planUpdate(entry, checked, this.#time(), { healthAlways: true });
    });
  }

  /**
   * Removes a service from the registry. What runs is left alone.
   *
   * @throws {HarnessError} `not_found`, `ambiguous`, `conflict`, `storage_unavailable`.
   */
  async deregister(nameOrId: string, options: IfRevision = {}): Promise<void> {
    const { id } = this.get(nameOrId);
    await this.#locks.run(id, async () => {
      const entry = this.#current(id, options);
      await this.#store.commit({
        remove: id,
        if_revision: entry.revision,
        events: [{ event: "service_deregistered", data: { service: entry.name, id } }],
        time: this.#time(),
      });
      this.#leases.end(id);
    });
  }

  /**
   * Renews the lease of a service that was registered with `ttl_ms`. One that had failed only because its
   * heartbeats were missed is brought back: `failed → starting → running`, reason "heartbeat returned".
   *
   * @throws {HarnessError} `not_found`, `ambiguous`, `invalid_params` when it has no `ttl_ms`,
   * `storage_unavailable`.
   */
  async heartbeat(nameOrId: string): Promise<{ expires_at: string }> {
    const { id } = this.get(nameOrId);
    return await this.#locks.run(id, async () => {
      const entry = this.#current(id, {});
      if (entry.ttl_ms === undefined) throw noLease(id);
      const ends = await this.#leases.take(id, entry.ttl_ms);
      if (entry.state === "failed" && entry.state_reason === changes.HEARTBEAT_MISSED) {
        await this.#commit(entry, changes.planRevival(entry, this.#time()), { leases: false });
      }
      return { expires_at: new Date(ends).toISOString() };
    });
  }

  /** Puts an event in the order that changes no entry (`deployment_progress`). @throws {HarnessError} `storage_unavailable`. */
  async publish(body: StandaloneEvent): Promise<void> {
    await this.#store.commit({ events: [body], time: this.#time() });
  }

  /** The endpoints of every entry, by instance id. */
  endpoints(): Record<string, Endpoint[]> {
    return Object.fromEntries(this.#index.sorted.map(({ id, endpoints }) => [id, endpoints]));
  }

  /**
   * The endpoints at which a service (or one instance) can be reached now: those of instances that run and
   * whose last health check, if any, passed.
   *
   * @throws {HarnessError} `not_found` for an unknown service or endpoint name, `unavailable` when no
   * instance can be used, saying why.
   */
  resolve(service: string, endpoint?: string): Array<Endpoint & { id: string }> {
    return queries.resolveEndpoints(service, queries.findInstances(this.#index, service), endpoint);
  }

  /** The service name of an id or a name. @throws {HarnessError} `not_found`. */
  nameOf(nameOrId: string): string {
    return queries.findName(this.#index, nameOrId);
  }

  /** The names of the services that need a service directly. */
  dependentsOf(name: string): Iterable<string> {
    return this.#graph.dependentsOf(name);
  }

  /** The dependency graph around a service. @throws {HarnessError} `not_found`. */
  dependencies(nameOrId: string): DependencyInfo {
    return this.#graph.info(this.nameOf(nameOrId));
  }

  /**
   * Calls `listener` with every event from now on, in order and synchronously, once it is durable. The
   * listener must be quick and must not throw (what it throws is rethrown as an uncaught error).
   *
   * @returns A function that ends it; no event follows its call.
   */
  subscribe(listener: (event: RegistryEvent) => void): () => void {
    return this.#bus.subscribe(listener);
  }

  /** Events as a Web Stream, replayed from `since` if given; see {@linkcode EventsOptions}. */
  events(options: EventsOptions = {}): ReadableStream<RegistryEvent> {
    return this.#bus.stream(this, options);
  }

  /** At most `limit` events after a seq, in order, or `null` when they are not all kept. */
  history(afterSeq: number, limit: number, maxBytes?: number): Promise<RegistryEvent[] | null> {
    return this.#store.history(afterSeq, limit, maxBytes);
  }

  /** Ends all event streams, waits for changes under way and closes the store. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    try {
      await this.#store.close();
    } finally {
      this.#bus.close();
    }
  }

  /** Same as {@linkcode close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #registerNew(planned: changes.PlannedChange): Promise<ServiceEntry> {
    const { id } = planned.entry;
    const max = this.#maxServices;
    if (this.#index.size + this.#registering.size >= max) throw full(id, max);
    this.#registering.add(id);
    try {
      return await this.#commit(null, planned, { leases: true });
    } finally {
      this.#registering.delete(id);
    }
  }

  /** Plans and commits a change of one entry while nobody else does. */
  async #change(
    nameOrId: string,
    options: IfRevision,
    planChange: (entry: ServiceEntry) => changes.PlannedChange | null,
  ): Promise<ServiceEntry> {
    const { id } = this.get(nameOrId);
    return await this.#locks.run(id, () => {
      const entry = this.#current(id, options);
      return this.#commit(entry, planChange(entry), { leases: false });
    });
  }

  async #commit(
    current: ServiceEntry | null,
    planned: changes.PlannedChange | null,
    { leases }: { leases: boolean },
  ): Promise<ServiceEntry> {
    const entry = planned?.entry ?? current;
    if (entry === null) throw new Error("neither an entry nor a change");
    if (planned !== null) {
      const [if_revision, time] = [current?.revision ?? 0, entry.updated_at];
      const change = { put: entry, if_revision, events: planned.events, time };
      const needs = current?.depends_on === entry.depends_on ? [] : entry.depends_on;
      await this.#graph.with(entry.name, needs, () => this.#store.commit(change));
    }
    if (leases && entry.ttl_ms !== undefined) await this.#leases.take(entry.id, entry.ttl_ms);
    else if (leases) this.#leases.end(entry.id);
    return entry;
  }

  /** The entry as it is now, under its lock. */
  #current(id: string, { ifRevision }: IfRevision): ServiceEntry {
    const entry = this.#index.get(id);
    if (entry === undefined) throw queries.notFound(id);
    if (ifRevision === undefined || ifRevision === entry.revision) return entry;
    throw otherRevision(entry, ifRevision);
  }

  #apply(record: CommitRecord): void {
    if (record.seq <= this.#seq) return;
    if (record.put !== undefined) {
      this.#index.put(changes.freeze(record.put));
      this.#registering.delete(record.put.id);
    }
    if (record.remove !== undefined) this.#index.remove(record.remove);
    this.#seq = record.seq;
    this.#bus.deliver(record.events);
  }

  async #expire(id: string): Promise<void> {
    const ended = this.#leases.endOf(id);
    try {
      await this.#locks.run(id, async () => {
        const entry = this.#index.get(id);
        // Renewed or given up while we waited for the lock, or stopped on purpose: nothing was missed.
        if (this.#closed || this.#leases.endOf(id) !== ended) return;
        if (entry === undefined || !needsHeartbeat(entry)) return;
        const patch = { state: "failed", state_reason: changes.HEARTBEAT_MISSED } as const;
        const planned = changes.planUpdate(entry, patch, this.#time());
        await this.#commit(entry, planned, { leases: false });
      });
    } catch {
      // The store refuses changes at present (that is its own report); the entry is judged again later.
      if (!this.#closed) await this.#leases.take(id, LEASE_RETRY_MS).catch(() => {});
    }
  }

  #time(): string {
    return new Date(this.#now()).toISOString();
  }
}

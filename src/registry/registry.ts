/**
 * The registry: the entries of all services, changed in one global order.
 *
 * Reads are answered from memory. A change is planned from the entry as it is and made durable by the
 * store; only then it becomes visible, is acknowledged and published. So memory is a fold over the store's
 * records and never runs ahead of them.
 *
 * @module
 */
import type { RegistryEvent, StandaloneEvent } from "../model/event.ts";
import type {
  Endpoint,
  HealthResult,
  ServiceEntry,
  ServiceInput,
  ServicePatch,
} from "../model/service.ts";
import type { Steps } from "../util/steps.ts";
import { DependencyGraph, type DependencyInfo } from "./dependencies.ts";
import { EntryIndex } from "./entry_index.ts";
import { type StoredEntry, storedOf } from "./entry_text.ts";
import { EventBus, type EventsOptions } from "./events.ts";
import { type ServiceFilter, serviceMatcher } from "./filter.ts";
import { MAX_SERVICES } from "./limits.ts";
import {
  cursorId,
  entriesAround,
  findEntry,
  findInstances,
  findName,
  pageOf,
  type PageOptions,
  resolveEndpoints,
  type ServicePage,
} from "./queries.ts";
import type { CommitRecord, LoadedState, Store } from "./store.ts";
import {
  type DeregisterOptions,
  EntryWriter,
  type RegisterOptions,
  type UpdateOptions,
} from "./writer.ts";

/** Options for {@linkcode Registry.open}. */
export interface RegistryOptions {
  /** The clock for all times in entries and events, in epoch milliseconds. @default {Date.now} */
  now?: (() => number) | undefined;
  /** Entries at most. @default {MAX_SERVICES} */
  maxServices?: number | undefined;
}

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
  /** Lineage of the data: a UUID, new whenever earlier seqs may no longer be valid. */
  readonly epoch: string;
  /** What was repaired or lost while loading, one sentence each. */
  readonly warnings: readonly string[];
  readonly #store: Store;
  readonly #now: () => number;
  readonly #index = new EntryIndex();
  readonly #graph = new DependencyGraph(this.#index);
  readonly #writer: EntryWriter;
  readonly #bus = new EventBus();
  #seq: number;
  #problem: string | null = null;

  private constructor(store: Store, loaded: LoadedState, options: RegistryOptions) {
    this.#store = store;
    this.#now = options.now ?? Date.now;
    this.#writer = new EntryWriter({
      store,
      index: this.#index,
      graph: this.#graph,
      now: this.#now,
      maxServices: options.maxServices ?? MAX_SERVICES,
    });
    this.epoch = loaded.epoch;
    this.warnings = loaded.warnings;
    this.#seq = loaded.seq;
    this.#index.load(loaded.services.map((entry) => storedOf(entry)));
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
      onLeaseExpired: (id) => registry === null ? undefined : void registry.#writer.expire(id),
      onHealth: (now) => registry === null ? problem = now : registry.#problem = now,
    });
    registry = new Registry(store, loaded, options);
    registry.#problem = problem;
    for (const record of early) registry.#apply(record);
    await registry.#writer.startLeases();
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

  /** Checks whether changes can be stored now, and updates {@linkcode problem}. Never throws. */
  async checkStorage(): Promise<void> {
    await this.#store.check?.();
  }

  /** The entries that match, sorted by id. */
  list(filter: ServiceFilter = {}): ServiceEntry[] {
    return this.#index.select(filter).filter(serviceMatcher(filter)).map(({ entry }) => entry);
  }

  /** The entries that {@linkcode list} filters, after a cursor: for filtering in slices. */
  select(filter: ServiceFilter, cursor?: string): Iterable<StoredEntry> {
    return this.#index.after(filter, cursorId(cursor));
  }

  /** The entries that match, a page at a time, and the seq that the page is of. */
  page(filter: ServiceFilter, page: PageOptions): ServicePage & { seq: number } {
    return { ...pageOf(this.#index, filter, page), seq: this.#seq };
  }

  /**
   * The entry of an id, or of a name that has one instance.
   *
   * @throws {HarnessError} `not_found`, or `ambiguous` with `details.ids`.
   */
  get(nameOrId: string): ServiceEntry {
    return findEntry(this.#index, nameOrId).entry;
  }

  /** The same as it is kept, with its JSON text. @throws {HarnessError} `not_found`, or `ambiguous`. */
  find(nameOrId: string): StoredEntry {
    return findEntry(this.#index, nameOrId);
  }

  /** Whether there is an entry of this id or name. */
  has(nameOrId: string): boolean {
    return this.#index.hasName(nameOrId) || this.#index.get(nameOrId) !== undefined;
  }

  /** Entries with ids like that of one that there is not, `most` at most: the time does not depend on how many there are. */
  around(nameOrId: string, most: number): readonly StoredEntry[] {
    return entriesAround(this.#index, nameOrId, most);
  }

  /** The entry of an instance, if it is registered. */
  ofId(id: string): ServiceEntry | undefined {
    return this.#index.get(id)?.entry;
  }

  /**
   * Registers a service. With `replace` an entry of the same id gets the new description and keeps its
   * state; a description that equals the old one is no change.
   *
   * @throws {HarnessError} `invalid_params` (a cycle, too), `already_exists`, `too_large`, `storage_unavailable`.
   */
  register(input: ServiceInput, options: RegisterOptions = {}): Promise<ServiceEntry> {
    return this.#writer.register(input, options);
  }

  /**
   * Changes what the patch names, as one atomic change: one revision, one place in the order, at most one
   * event of each kind. Without `state`, values that are as they were are no change; a `state` must be a
   * legal transition, so of several simultaneous `{ state: "starting" }` exactly one wins.
   *
   * @throws {HarnessError} `not_found`, `ambiguous`, `invalid_params`, `invalid_transition`, `conflict`,
   * `storage_unavailable`.
   */
  update(
    nameOrId: string,
    patch: ServicePatch,
    options: UpdateOptions = {},
  ): Promise<ServiceEntry> {
    return this.#writer.update(nameOrId, patch, options);
  }

  /**
   * Records a health result and publishes it even when it equals the last one. {@linkcode update} records
   * only results that differ. For an entry that is `stopped` or `failed` nothing is recorded: the result is
   * of an earlier run.
   *
   * @throws {HarnessError} `not_found`, `ambiguous`, `invalid_params`, `storage_unavailable`.
   */
  recordHealth(nameOrId: string, result: HealthResult): Promise<ServiceEntry> {
    return this.#writer.recordHealth(nameOrId, result);
  }

  /**
   * Removes a service from the registry. Its process is left alone; `admit` can refuse.
   *
   * @throws {HarnessError} `not_found`, `ambiguous`, `conflict`, `storage_unavailable`.
   */
  deregister(nameOrId: string, options: DeregisterOptions = {}): Promise<void> {
    return this.#writer.deregister(nameOrId, options);
  }

  /**
   * Renews the lease of a service that was registered with `ttl_ms`. The first heartbeat makes a `registered` or
   * `starting` one `running`, and one that failed only because of missed heartbeats is `running` again. Any other
   * state stays as it was set.
   *
   * @throws {HarnessError} `not_found`, `ambiguous`, `invalid_params` when it has no `ttl_ms`,
   * `storage_unavailable`.
   */
  heartbeat(nameOrId: string): Promise<{ expires_at: string }> {
    return this.#writer.heartbeat(nameOrId);
  }

  /** Publishes an event that changes no entry (`deployment_progress`). @throws {HarnessError} `storage_unavailable`. */
  async publish(body: StandaloneEvent): Promise<void> {
    const time = new Date(this.#now()).toISOString();
    await this.#store.commit({ events: [body], time });
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
   * instance can be used, with the reasons.
   */
  resolve(service: string, endpoint?: string): Array<Endpoint & { id: string }> {
    return resolveEndpoints(service, findInstances(this.#index, service), endpoint);
  }

  /** The service name of an id or a name. @throws {HarnessError} `not_found`. */
  nameOf(nameOrId: string): string {
    return findName(this.#index, nameOrId);
  }

  /** The names that a service needs directly; none when it is not registered. */
  needsOf(name: string): readonly string[] {
    return this.#graph.dependsOn(name);
  }

  /** The names of the services that need a service directly. */
  dependentsOf(name: string): Iterable<string> {
    return this.#graph.dependentsOf(name);
  }

  /** The dependency graph around a service. @throws {HarnessError} `not_found`. */
  dependencies(nameOrId: string): DependencyInfo {
    return this.#graph.info(this.nameOf(nameOrId));
  }

  /** The same in pieces. */
  dependencySteps(nameOrId: string): Steps<DependencyInfo> {
    return this.#graph.infoSteps(this.nameOf(nameOrId));
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

  /** Ends all event streams, waits for changes in flight and closes the store. Idempotent. */
  async close(): Promise<void> {
    this.#writer.close();
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

  #apply(record: CommitRecord): void {
    if (record.seq <= this.#seq) return;
    if (record.put !== undefined) {
      this.#index.put(storedOf(record.put));
      this.#writer.applied(record.put.id);
    }
    if (record.remove !== undefined) this.#index.remove(record.remove);
    this.#seq = record.seq;
    this.#bus.deliver(record.events);
  }
}

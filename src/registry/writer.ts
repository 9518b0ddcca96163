/**
 * Changes entries: one change of an entry at a time, planned from the entry as it is, committed by the store.
 *
 * @module
 */
import type {
  CheckedServiceInput,
  CheckedServicePatch,
  HealthResult,
  ServiceEntry,
  ServiceInput,
  ServicePatch,
} from "../model/service.ts";
import { KeyedMutex } from "../util/keyed_mutex.ts";
import {
  HEARTBEAT_MISSED,
  planHeartbeat,
  type PlannedChange,
  planRegister,
  planReplace,
  planUpdate,
} from "./change.ts";
import type { DependencyGraph } from "./dependencies.ts";
import type { EntryIndex } from "./entry_index.ts";
import { alreadyExists, full, noLease, notFound, otherRevision } from "./errors.ts";
import { LeaseKeeper, needsHeartbeat } from "./leases.ts";
import { LEASE_RETRY_MS } from "./limits.ts";
import { findEntry } from "./queries.ts";
import type { Store } from "./store.ts";
import { loadValidation, validation } from "./input/lazy.ts";

/** Options for `Registry.deregister()`. */
export interface DeregisterOptions extends IfRevision {
  /** Called under the entry's lock with the entry as it is; throws to refuse. */
  admit?: ((current: ServiceEntry) => void) | undefined;
}

/** How the input of a change came. */
export interface Checked {
  /** It is what the schemas made of it, as `parseParams()` returns it: it is not checked again. @default {false} */
  isChecked?: boolean | undefined;
}

/** A condition on a change. */
export interface IfRevision {
  /** Revision the entry must have now; anything else is a `conflict`. */
  ifRevision?: number | undefined;
}

/** Options for `Registry.register()`. */
export interface RegisterOptions extends Checked {
  /** Replaces an entry of that id. @default {false} */
  replace?: boolean | undefined;
  /**
   * Called under the entry's lock with the entry that is replaced and what is registered; throws to refuse.
   */
  admit?:
    | ((current: ServiceEntry | null, checked: CheckedServiceInput) => void)
    | undefined;
}

/** Options for `Registry.update()`. */
export interface UpdateOptions extends IfRevision, Checked {
  /** Facts for the event of a state change, such as an exit code and log lines; not kept in the entry. */
  details?: Record<string, unknown> | undefined;
}

/** What the writer works with. */
export interface WriterParts {
  /** Where changes are committed. */
  store: Store;
  /** The entries, which the registry updates when a change was committed. */
  index: EntryIndex;
  /** The dependencies of the entries. */
  graph: DependencyGraph;
  /** The clock, in epoch milliseconds. */
  now: () => number;
  /** Entries at most. */
  maxServices: number;
}

/** Changes entries. Its methods are described at those of `Registry`. */
export class EntryWriter {
  readonly #parts: WriterParts;
  readonly #locks = new KeyedMutex();
  readonly #leases: LeaseKeeper;
  /** New ids on their way to the store. */
  readonly #registering = new Set<string>();
  #clock = { now: NaN, text: "" };
  #closed = false;

  /** A writer for one registry. */
  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#leases = new LeaseKeeper(parts.store);
  }

  /** Takes the leases of all entries. */
  async startLeases(): Promise<void> {
    await this.#leases.start(this.#parts.index.sorted);
  }

  /** Called when a committed entry is in the index: it is no longer counted as on its way there. */
  applied(id: string): void {
    this.#registering.delete(id);
  }

  /** Stops recording expired leases. */
  close(): void {
    this.#closed = true;
  }

  /** See `Registry.register()`. */
  async register(input: ServiceInput, options: RegisterOptions): Promise<ServiceEntry> {
    const checked = options.isChecked === true
      ? input as CheckedServiceInput
      : (validation() ?? await loadValidation()).parseInput(input);
    const id = checked.id ?? checked.name;
    return await this.#locks.run(id, async () => {
      const current = this.#parts.index.get(id)?.entry;
      if (current !== undefined && options.replace !== true) throw alreadyExists(current);
      options.admit?.(current ?? null, checked);
      const entry = current === undefined
        ? await this.#commitNew(planRegister(checked, this.#time()))
        : await this.#commitIfAny(current, planReplace(current, checked, this.#time()));
      if (entry.ttl_ms === undefined) this.#leases.end(id);
      else await this.#leases.take(id, entry.ttl_ms);
      return entry;
    });
  }

  /** See `Registry.update()`. */
  async update(
    nameOrId: string,
    patch: ServicePatch,
    { ifRevision, details, isChecked = false }: UpdateOptions,
  ): Promise<ServiceEntry> {
    const checked = isChecked
      ? patch as CheckedServicePatch
      : (validation() ?? await loadValidation()).parsePatch(nameOrId, patch);
    const planOptions = { healthAlways: false, details };
    return await this.#change(nameOrId, { ifRevision }, (entry) => {
      return planUpdate(entry, checked, this.#time(), planOptions);
    });
  }

  /** See `Registry.recordHealth()`. */
  async recordHealth(nameOrId: string, result: HealthResult): Promise<ServiceEntry> {
    const { parsePatch } = validation() ?? await loadValidation();
    const checked = parsePatch(nameOrId, { last_health_check: result });
    return await this.#change(nameOrId, {}, (entry) => {
      return planUpdate(entry, checked, this.#time(), { healthAlways: true });
    });
  }

  /** See `Registry.deregister()`. */
  async deregister(nameOrId: string, options: DeregisterOptions): Promise<void> {
    const { id } = findEntry(this.#parts.index, nameOrId);
    await this.#locks.run(id, async () => {
      const entry = this.#current(id, options);
      options.admit?.(entry);
      await this.#parts.store.commit({
        remove: id,
        if_revision: entry.revision,
        events: [{ event: "service_deregistered", data: { service: entry.name, id } }],
        time: this.#time(),
      });
      this.#leases.end(id);
    });
  }

  /** See `Registry.heartbeat()`. */
  async heartbeat(nameOrId: string): Promise<{ expires_at: string }> {
    const { id } = findEntry(this.#parts.index, nameOrId);
    return await this.#locks.run(id, async () => {
      const entry = this.#current(id, {});
      if (entry.ttl_ms === undefined) throw noLease(id);
      const ends = await this.#leases.take(id, entry.ttl_ms);
      await this.#commitIfAny(entry, planHeartbeat(entry, this.#time()));
      return { expires_at: new Date(ends).toISOString() };
    });
  }

  /** Records that the lease of an entry expired, unless it was renewed meanwhile. */
  async expire(id: string): Promise<void> {
    const ended = this.#leases.endOf(id);
    try {
      await this.#locks.run(id, async () => {
        const entry = this.#parts.index.get(id)?.entry;
        // Renewed or ended while we waited for the lock, or stopped on purpose: nothing was missed.
        if (this.#closed || this.#leases.endOf(id) !== ended) return;
        if (entry === undefined || !needsHeartbeat(entry)) return;
        const patch = { state: "failed", state_reason: HEARTBEAT_MISSED } as const;
        await this.#commitIfAny(entry, planUpdate(entry, patch, this.#time()));
      });
    } catch {
      // The store refuses changes at present, which it reports itself: retry later.
      if (!this.#closed) await this.#leases.take(id, LEASE_RETRY_MS).catch(() => {});
    }
  }

  async #commitNew(planned: PlannedChange): Promise<ServiceEntry> {
    const { id } = planned.entry;
    const { index, maxServices } = this.#parts;
    if (index.size + this.#registering.size >= maxServices) throw full(id, maxServices);
    this.#registering.add(id);
    try {
      return await this.#commit(null, planned);
    } finally {
      this.#registering.delete(id);
    }
  }

  /** Plans and commits a change of one entry under its lock. @throws {HarnessError} `not_found`, `ambiguous`. */
  #change(
    nameOrId: string,
    options: IfRevision,
    planChange: (entry: ServiceEntry) => PlannedChange | null,
  ): Promise<ServiceEntry> {
    const { id } = findEntry(this.#parts.index, nameOrId);
    return this.#locks.run(id, () => {
      const entry = this.#current(id, options);
      return this.#commitIfAny(entry, planChange(entry));
    });
  }

  /** Commits a planned change; `null` leaves the entry as it is. */
  #commitIfAny(current: ServiceEntry, planned: PlannedChange | null): Promise<ServiceEntry> {
    return planned === null ? Promise.resolve(current) : this.#commit(current, planned);
  }

  /** Without a promise for each step: there are as many changes as the disk takes. */
  #commit(current: ServiceEntry | null, planned: PlannedChange): Promise<ServiceEntry> {
    const { store, graph } = this.#parts;
    const { entry, events } = planned;
    const if_revision = current?.revision ?? 0;
    const change = { put: entry, if_revision, events, time: entry.updated_at };
    const needs = current?.depends_on === entry.depends_on ? [] : entry.depends_on;
    const committed = needs.length === 0
      ? store.commit(change)
      : graph.with(entry.name, needs, () => store.commit(change));
    return committed.then(() => entry);
  }

  /** The entry as it is now; to be called under its lock. */
  #current(id: string, { ifRevision }: IfRevision): ServiceEntry {
    const entry = this.#parts.index.get(id)?.entry;
    if (entry === undefined) throw notFound(id);
    if (ifRevision === undefined || ifRevision === entry.revision) return entry;
    throw otherRevision(entry, ifRevision);
  }

  /** Many changes are made in one millisecond: they share the text. */
  #time(): string {
    const now = this.#parts.now();
    if (now !== this.#clock.now) this.#clock = { now, text: new Date(now).toISOString() };
    return this.#clock.text;
  }
}

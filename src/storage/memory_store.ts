/**
 * In-memory store; nothing is persisted.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { RegistryEvent } from "../model/event.ts";
import { entryText, type StoredEntry, storedOf, textBytes } from "../registry/entry_text.ts";
import type { Change, CommitRecord, LoadedState, Store, StoreListener } from "../registry/store.ts";
import { ChangeRing, type KeptChange } from "./change_ring.ts";
import { MEMORY_HISTORY_BYTES } from "./limits.ts";
import { LeaseTable } from "./lease_table.ts";
import { checkChange, toRecord } from "./change_record.ts";

/** Options for {@linkcode MemoryStore}. */
export interface MemoryStoreOptions {
  /** Events kept for `history()`. @default {MIN_HISTORY_EVENTS} */
  historyEvents?: number | undefined;
}

/**
 * In-memory store of a registry.
 *
 * Several registries may open the same store: each receives all changes, as several servers do from one
 * distributed engine. It ends when the last of them closes it.
 */
export class MemoryStore implements Store {
  readonly #epoch = crypto.randomUUID();
  readonly #entries = new Map<string, StoredEntry>();
  readonly #listeners = new Set<StoreListener>();
  readonly #ring: ChangeRing;
  readonly #leases = new LeaseTable((id) => {
    for (const listener of [...this.#listeners]) listener.onLeaseExpired(id);
  });
  #users = 0;

  /** An empty store. */
  constructor(options: MemoryStoreOptions = {}) {
    this.#ring = new ChangeRing(0, {
      keep: options.historyEvents,
      maxBytes: MEMORY_HISTORY_BYTES,
    });
  }

  /** See {@linkcode Store.open}. */
  open(listener: StoreListener): Promise<LoadedState> {
    this.#listeners.add(listener);
    this.#users++;
    return Promise.resolve({
      epoch: this.#epoch,
      seq: this.#ring.seq,
      services: [...this.#entries.values()],
      warnings: [],
    });
  }

  /** See {@linkcode Store.commit}. */
  commit(change: Change): Promise<void> {
    try {
      if (this.#users === 0) throw closed();
      checkChange(change, (id) => this.#entries.get(id)?.revision ?? 0);
      const record = toRecord(change, this.#ring.seq);
      if (record.put !== undefined) this.#entries.set(record.put.id, storedOf(record.put));
      if (record.remove !== undefined) this.#entries.delete(record.remove);
      this.#ring.add(keptOf(record));
      for (const listener of [...this.#listeners]) listener.onCommit(record);
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** See {@linkcode Store.history}. */
  history(afterSeq: number, limit: number, maxBytes?: number): Promise<RegistryEvent[] | null> {
    return Promise.resolve(this.#ring.eventsAfter(afterSeq, limit, maxBytes));
  }

  /** See {@linkcode Store.lease}. */
  lease(id: string, ttlMs: number): Promise<number> {
    if (this.#users === 0) return Promise.reject(closed());
    return Promise.resolve(this.#leases.take(id, ttlMs));
  }

  /** See {@linkcode Store.endLease}. */
  endLease(id: string): void {
    this.#leases.end(id);
  }

  /** See {@linkcode Store.close}. */
  close(): Promise<void> {
    if (this.#users > 0 && --this.#users === 0) {
      this.#leases.close();
      this.#listeners.clear();
    }
    return Promise.resolve();
  }
}

/** The events of a change, with their size as JSON. */
function keptOf({ seq, events }: CommitRecord): KeptChange {
  let bytes = 0;
  for (const { data } of events) {
    bytes += "entry" in data && Object.isFrozen(data.entry)
      ? textBytes(entryText(data.entry))
      : JSON.stringify(data).length;
  }
  return { first: seq - events.length + 1, seq, bytes, read: () => events };
}

function closed(): HarnessError {
  return new HarnessError("storage_unavailable", "Cannot change the registry: it is closed");
}

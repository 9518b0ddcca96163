/**
 * The interface between a registry and its storage engine.
 *
 * The shape is that of a replicated log with compare-and-set: {@linkcode Store.commit} proposes one
 * atomic change, and the registry learns of every accepted change, its own and (with a distributed
 * engine) other servers', through `onCommit`, in order. So the registry's memory is always a fold over
 * the log and never runs ahead of the disk. Data flows one way:
 *
 * ```text
 * registry ── commit(change) ──► store (durable) ── onCommit(record) ──► memory, then subscribers
 * ```
 *
 * @module
 */
import type { ServiceEntry } from "../model/service.ts";
import type { EventBody, RegistryEvent } from "../model/event.ts";
import type { StoredEntry } from "./entry_text.ts";

/** One atomic change: at most one entry put or removed, and its events (at least one). */
export interface Change {
  /** The entry after the change. */
  put?: ServiceEntry | undefined;
  /** The id of the entry to remove. */
  remove?: string | undefined;
  /** Revision the stored entry must have now; 0 = there must be none. Left out = no condition. */
  if_revision?: number | undefined;
  /** The events for subscribers, in order. Each takes one seq. */
  events: EventBody[];
  /** When it happened, RFC 3339 UTC with milliseconds. */
  time: string;
}

/** A durable change with its seq. */
export interface CommitRecord {
  /** Seq of the last event of this change: the registry's seq after applying it. */
  seq: number;
  /** When it happened. */
  time: string;
  /** The entry after the change. */
  put?: ServiceEntry | undefined;
  /** The id of the removed entry. */
  remove?: string | undefined;
  /** The events with their seqs: `seq - events.length + 1 … seq`. */
  events: RegistryEvent[];
}

/** The state that a store returns when it is opened. */
export interface LoadedState {
  /** Lineage of the data: a UUID, new whenever earlier seqs may no longer be valid. */
  epoch: string;
  /** Seq of the last change contained. */
  seq: number;
  /** All entries. */
  services: Array<ServiceEntry | StoredEntry>;
  /** What was repaired or lost while loading, one sentence each, for the log. */
  warnings: string[];
}

/** Callbacks given to {@linkcode Store.open}. They must not throw and must not call back into the store. */
export interface StoreListener {
  /** Called once for each change after the loaded state, in seq order, once it is durable. */
  onCommit(record: CommitRecord): void;
  /** Called when a lease taken with {@linkcode Store.lease} expires. */
  onLeaseExpired(id: string): void;
  /** Called when the store stops (or starts again) accepting changes; `null` = healthy. */
  onHealth?(problem: string | null): void;
}

/** Storage engine of a registry. */
export interface Store {
  /**
   * Loads the state and starts watching: `onCommit` gets every change after it, without a gap.
   *
   * @throws {HarnessError} `conflict` when another process owns the data, `storage_unavailable` when it
   * cannot be read.
   */
  open(listener: StoreListener): Promise<LoadedState>;
  /**
   * Makes a change durable; resolves after `onCommit` was called for it.
   *
   * @throws {HarnessError} `conflict` when `if_revision` does not match, `storage_unavailable` when it
   * could not be made durable (then it did not happen).
   */
  commit(change: Change): Promise<void>;
  /** Checks now whether changes can be made durable; what is wrong is reported by `onHealth`. Never throws. */
  check?(): Promise<void>;
  /**
   * The events after `afterSeq`, in order and without a gap, or `null` when they are not all kept.
   * `limit` and `maxBytes` bound the answer (of a single larger event it is over); ask again from the last
   * seq for more.
   */
  history(afterSeq: number, limit: number, maxBytes?: number): Promise<RegistryEvent[] | null>;
  /** Takes or renews a lease for an entry; returns when it ends, in epoch milliseconds. */
  lease(id: string, ttlMs: number): Promise<number>;
  /** Ends a lease. Unknown ids are ignored. */
  endLease(id: string): void;
  /** Writes pending changes and releases everything. Idempotent. */
  close(): Promise<void>;
}

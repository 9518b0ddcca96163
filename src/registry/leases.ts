/**
 * The leases of a registry's entries, over those of its store.
 *
 * @module
 */
import type { ServiceEntry } from "../model/service.ts";
import type { StoredEntry } from "./entry_text.ts";
import type { Store } from "./store.ts";

/** Keeps the end of each lease, so that an expiry that a renewal has overtaken is recognised. */
export class LeaseKeeper {
  readonly #store: Store;
  readonly #ends = new Map<string, number>();

  /** A keeper over a store's leases. */
  constructor(store: Store) {
    this.#store = store;
  }

  /** Takes a lease for every entry that must send heartbeats. */
  async start(entries: Iterable<StoredEntry>): Promise<void> {
    for (const stored of entries) {
      if (!stored.mayExpire) continue;
      const { entry } = stored;
      if (entry.ttl_ms !== undefined && needsHeartbeat(entry)) {
        await this.take(entry.id, entry.ttl_ms);
      }
    }
  }

  /** Takes or renews a lease; returns when it ends, in epoch milliseconds. */
  async take(id: string, ttlMs: number): Promise<number> {
    const ends = await this.#store.lease(id, ttlMs);
    this.#ends.set(id, ends);
    return ends;
  }

  /** When the lease of `id` ends, or `undefined` when it has none. */
  endOf(id: string): number | undefined {
    return this.#ends.get(id);
  }

  /** Ends a lease. */
  end(id: string): void {
    this.#store.endLease(id);
    this.#ends.delete(id);
  }
}

/** Whether an entry owes heartbeats: one that is stopped or failed does not. */
export function needsHeartbeat(entry: ServiceEntry): boolean {
  return entry.ttl_ms !== undefined && entry.state !== "failed" && entry.state !== "stopped";
}

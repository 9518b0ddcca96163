/**
 * Leases: entries that must be renewed in time.
 *
 * @module
 */
import { LEASE_SWEEP_MS } from "./limits.ts";

/** A timer later than this means that this process was paused or suspended, not the owners. */
const PAUSED_MS = 1_000;

/**
 * Leases with one timer for all. Time is the monotonic clock, so that setting the wall clock expires
 * nothing; and when this process itself was paused, every lease begins anew.
 */
export class LeaseTable {
  readonly #onExpired: (id: string) => void;
  readonly #leases = new Map<string, { end: number; ttlMs: number }>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #due = Infinity;

  /** A table that calls `onExpired` once for each lease that expires. */
  constructor(onExpired: (id: string) => void) {
    this.#onExpired = onExpired;
  }

  /** Takes or renews a lease; returns when it ends, in epoch milliseconds. */
  take(id: string, ttlMs: number): number {
    const end = performance.now() + ttlMs;
    this.#leases.set(id, { end, ttlMs });
    this.#arm(end);
    return Date.now() + ttlMs;
  }

  /** Ends a lease. */
  end(id: string): void {
    this.#leases.delete(id);
    if (this.#leases.size === 0) this.#disarm();
  }

  /** Ends all leases without reporting them. */
  close(): void {
    this.#leases.clear();
    this.#disarm();
  }

  #arm(due: number): void {
    // A timer that fires too early checks again: a renewal must not cost a new timer each time.
    if (due >= this.#due) return;
    this.#disarm();
    this.#due = due;
    const delay = Math.max(LEASE_SWEEP_MS, due - performance.now());
    this.#timer = setTimeout(() => this.#sweep(), delay);
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#due = Infinity;
  }

  #sweep(): void {
    const now = performance.now();
    const paused = now - this.#due > PAUSED_MS;
    this.#disarm();
    let next = Infinity;
    const expired: string[] = [];
    for (const [id, lease] of this.#leases) {
      if (paused) lease.end = now + lease.ttlMs;
      if (lease.end <= now) expired.push(id);
      else next = Math.min(next, lease.end);
    }
    for (const id of expired) this.#leases.delete(id);
    if (next < Infinity) this.#arm(next);
    for (const id of expired) this.#onExpired(id);
  }
}

/**
 * The last events in memory, for resuming subscribers.
 *
 * @module
 */
import { MIN_HISTORY_EVENTS } from "../limits.ts";
import type { RegistryEvent } from "../registry/events.ts";

/** The last events, gapless; holds at least `keep` of them once there were as many. */
export class EventRing {
  readonly #keep: number;
  #events: RegistryEvent[] = [];
  #seq: number;

  /** An empty ring after `seq`. */
  constructor(seq: number, keep: number = MIN_HISTORY_EVENTS) {
    this.#seq = seq;
    this.#keep = keep;
  }

  /** Seq of the last event. */
  get seq(): number {
    return this.#seq;
  }

  /** Seq before the first event that is kept. */
  get floor(): number {
    return this.#seq - this.#events.length;
  }

  /** Adds the events of a change; they must follow the last. */
  push(events: readonly RegistryEvent[]): void {
    for (const event of events) this.#events.push(event);
    this.#seq += events.length;
    // Cut in large pieces, so that the cost of moving the rest is spread over many changes.
    if (this.#events.length > 2 * this.#keep) this.#events = this.#events.slice(-this.#keep);
  }

  /** At most `limit` events after a seq, or `null` when they are not all kept. */
  after(seq: number, limit: number): RegistryEvent[] | null {
    if (seq < this.floor || seq > this.#seq) return null;
    const from = seq - this.floor;
    return this.#events.slice(from, from + limit);
  }
}

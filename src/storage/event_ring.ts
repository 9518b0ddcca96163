/**
 * The last changes in memory, for resuming subscribers: bounded by number and by bytes.
 *
 * @module
 */
import { HISTORY_READ_BYTES, HISTORY_RING_BYTES, MIN_HISTORY_EVENTS } from "./limits.ts";
import type { RegistryEvent } from "../model/event.ts";

/** The events of one change, in whatever form they are kept. */
export interface KeptChange {
  /** Seq of its first event. */
  readonly first: number;
  /** Seq of its last event. */
  readonly seq: number;
  /** Bytes kept. */
  readonly bytes: number;
  /** Its events. */
  read(): readonly RegistryEvent[];
}

/** Bounds of an {@linkcode EventRing}. */
export interface EventRingOptions {
  /** Events kept; up to twice as many at times. @default {MIN_HISTORY_EVENTS} */
  keep?: number | undefined;
  /** Bytes kept at most. @default {HISTORY_RING_BYTES} */
  maxBytes?: number | undefined;
}

/** The last changes, gapless. */
export class EventRing {
  readonly #keep: number;
  readonly #maxBytes: number;
  #changes: KeptChange[] = [];
  /** Index of the oldest kept change: what is before it goes in one piece, now and then. */
  #head = 0;
  #bytes = 0;
  #seq: number;

  /** An empty ring after `seq`. */
  constructor(seq: number, options: EventRingOptions = {}) {
    this.#seq = seq;
    this.#keep = options.keep ?? MIN_HISTORY_EVENTS;
    this.#maxBytes = options.maxBytes ?? HISTORY_RING_BYTES;
  }

  /** Seq of the last event. */
  get seq(): number {
    return this.#seq;
  }

  /** Seq before the first event that is kept. */
  get floor(): number {
    return (this.#changes[this.#head]?.first ?? this.#seq + 1) - 1;
  }

  /** Bytes kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a change; it must follow the last. */
  push(change: KeptChange): void {
    this.#changes.push(change);
    this.#seq = change.seq;
    this.#bytes += change.bytes;
    while (this.#bytes > this.#maxBytes || this.#seq - this.floor > 2 * this.#keep) this.#drop();
    if (this.#head > 1024 && 2 * this.#head > this.#changes.length) {
      this.#changes = this.#changes.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Events after a seq, at most `limit` and (but for the first) `maxBytes`; `null` when they are not all kept. */
  after(
    seq: number,
    limit: number,
    maxBytes: number = HISTORY_READ_BYTES,
  ): RegistryEvent[] | null {
    if (seq < this.floor || seq > this.#seq) return null;
    const events: RegistryEvent[] = [];
    let bytes = 0;
    for (let at = this.#indexAfter(seq); at < this.#changes.length; at++) {
      const change = this.#changes[at];
      if (change === undefined || events.length >= limit) break;
      if (events.length > 0 && bytes + change.bytes > maxBytes) break;
      bytes += change.bytes;
      for (const event of change.read()) {
        if (event.seq > seq && events.length < limit) events.push(event);
      }
    }
    return events;
  }

  /** Index of the first change that ends after a seq. */
  #indexAfter(seq: number): number {
    let low = this.#head;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#changes[middle]?.seq ?? 0) <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #drop(): void {
    this.#bytes -= this.#changes[this.#head]?.bytes ?? 0;
    // Let go now: the array keeps its place for a while.
    this.#changes[this.#head] = GONE;
    this.#head++;
  }
}

const GONE: KeptChange = { first: 0, seq: 0, bytes: 0, read: () => [] };

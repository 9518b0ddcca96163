/**
 * The last events, already encoded, so that a resume rarely touches the disk.
 *
 * @module
 */
import type { RegistryEvent } from "../registry/events.ts";

/** An event and its one encoding. */
export interface EncodedEvent {
  /** The event. */
  readonly event: RegistryEvent;
  /** Its text frame, shared by all who receive it. */
  readonly text: string;
}

/** Limits of an {@linkcode EventRing}. */
export interface EventRingLimits {
  /** Events kept. */
  maxEvents: number;
  /** Characters of text kept. */
  maxChars: number;
}

/** A bounded run of consecutive events, newest last. */
export class EventRing {
  readonly #limits: EventRingLimits;
  #items: EncodedEvent[] = [];
  /** Index of the oldest kept item: what is before it goes in one piece, now and then. */
  #head = 0;
  #chars = 0;
  #seq: number;

  /** An empty ring whose next event is `seq + 1`. */
  constructor(seq: number, limits: EventRingLimits) {
    this.#seq = seq;
    this.#limits = limits;
  }

  /** Seq of the newest event. */
  get seq(): number {
    return this.#seq;
  }

  /** How many events are kept. */
  get size(): number {
    return this.#items.length - this.#head;
  }

  /** Adds the next event and lets old ones go. */
  push(item: EncodedEvent): void {
    if (item.event.seq !== this.#seq + 1) this.#clear(); // never hand out a run with a hole
    this.#items.push(item);
    this.#chars += item.text.length;
    this.#seq = item.event.seq;
    while (
      this.size > 0 && (this.size > this.#limits.maxEvents || this.#chars > this.#limits.maxChars)
    ) {
      this.#chars -= this.#items[this.#head]?.text.length ?? 0;
      this.#head++;
    }
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Up to `limit` events after `seq`, or `null` when they are not all here. */
  after(seq: number, limit: number): EncodedEvent[] | null {
    if (seq > this.#seq || seq < this.#seq - this.size) return null;
    const from = this.#items.length - (this.#seq - seq);
    return this.#items.slice(from, from + limit);
  }

  #clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#chars = 0;
  }
}

/**
 * The last events, already encoded, so that a resume rarely touches the disk.
 *
 * @module
 */
import { textBytes } from "../../registry/entry_text.ts";
import type { SequencedHead } from "../../registry/filter.ts";

/** An event and its one encoding. */
export interface EncodedEvent {
  /** What filters look at; not the whole event, whose objects take several times the room of its text. */
  readonly event: SequencedHead;
  /** Its text frame, shared by all who receive it. */
  readonly text: string;
}

/** What filters look at of an event, apart from the rest of it. */
export function headOf({ event, seq, data: { service, id } }: SequencedHead): SequencedHead {
  return { event, seq, data: { service, id } };
}

/** Limits of an {@linkcode EventRing}. */
export interface EventRingLimits {
  /** Events kept. */
  maxEvents: number;
  /** Bytes of text kept: one for a character, two where the text is not Latin-1. */
  maxChars: number;
}

/** A bounded run of consecutive events, newest last. */
export class EventRing {
  readonly #limits: EventRingLimits;
  #items: EncodedEvent[] = [];
  /** Index of the oldest kept item: what is before it goes in one piece, now and then. */
  #head = 0;
  #bytes = 0;
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
    this.#bytes += textBytes(item.text);
    this.#seq = item.event.seq;
    while (
      this.size > 0 && (this.size > this.#limits.maxEvents || this.#bytes > this.#limits.maxChars)
    ) {
      this.#bytes -= textBytes(this.#items[this.#head]?.text ?? "");
      this.#items[this.#head] = GONE; // now, and not when the array is cut
      this.#head++;
    }
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Up to `limit` events after `seq`, and (but for the first) `maxChars`; `null` when they are not all here. */
  after(seq: number, limit: number, maxChars: number = Infinity): EncodedEvent[] | null {
    if (seq > this.#seq || seq < this.#seq - this.size) return null;
    const from = this.#items.length - (this.#seq - seq);
    let to = from;
    for (let chars = 0; to < this.#items.length && to - from < limit; to++) {
      chars += this.#items[to]?.text.length ?? 0;
      if (to > from && chars > maxChars) break;
    }
    return this.#items.slice(from, to);
  }

  #clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}

const GONE: EncodedEvent = {
  event: { event: "", seq: 0, data: { service: "", id: null } },
  text: "",
};

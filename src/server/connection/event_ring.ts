/**
 * The newest events, already encoded, so that a resume rarely touches the disk.
 *
 * Their texts are kept as bytes outside of the heap: at thousands a second, strings that live for some seconds are
 * most of what the garbage collector has to move.
 *
 * @module
 */
import { textBytes } from "../../registry/entry_text.ts";
import type { SequencedHead } from "../../registry/filter.ts";
import { type RingBounds, SeqRing } from "../../util/seq_ring.ts";

/** An event and its text frame. */
export interface EncodedEvent {
  /** The fields that filters use; the whole event would take several times the memory of its text. */
  readonly event: SequencedHead;
  /** Its text frame, shared by all recipients. */
  readonly text: string;
}

/** Copies the fields of an event that filters use. */
export function headOf({ event, seq, data: { service, id } }: SequencedHead): SequencedHead {
  return { event, seq, data: { service, id } };
}

/** Bytes that are set aside at once. */
const SEGMENT_BYTES = 256 * 1024;
/** Characters of decoded texts that are kept: many connections resume from about the same place. */
const MAX_DECODED = 512 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Texts one after the other. */
class Segment {
  readonly bytes: Uint8Array;
  used = 0;
  /** How many of the texts are in the ring. */
  live = 0;

  constructor(bytes: number) {
    this.bytes = new Uint8Array(bytes);
  }

  hasRoom(bytes: number): boolean {
    return this.used + bytes <= this.bytes.length;
  }
}

/** An event in the ring: flat, as there are many. */
interface Kept {
  readonly seq: number;
  readonly type: string;
  readonly service: string;
  readonly id: string | null;
  /** What has the text; a long one stays a string. */
  readonly segment: Segment | string;
  readonly start: number;
  readonly end: number;
}

/** The newest events, without a gap. */
export class EventRing {
  readonly #kept: SeqRing<Kept>;
  #segment = new Segment(0);
  /** One that is used again: the ring goes round. */
  #spare: Segment | null = null;
  readonly #decoded = new Map<number, EncodedEvent>();
  #decodedChars = 0;

  /** An empty ring after `seq`; bytes are those of the texts. */
  constructor(seq: number, bounds: RingBounds) {
    this.#kept = new SeqRing(seq, bounds, {
      seqOf: (kept) => kept.seq,
      bytesOf: ({ start, end }) => end - start,
      evicted: ({ segment }) => this.#evicted(segment),
    });
  }

  /** Seq of the newest event. */
  get seq(): number {
    return this.#kept.seq;
  }

  /** Bytes of the texts. */
  get bytes(): number {
    return this.#kept.bytes;
  }

  /** Whether everything after a seq is kept. */
  covers(seq: number): boolean {
    return this.#kept.covers(seq);
  }

  /** Adds an event; one that leaves a gap evicts all before it. */
  push({ event: type, seq, data: { service, id } }: SequencedHead, text: string): void {
    const kept = { seq, type, service, id };
    // Not a segment of its own: it would wait for a collection that nothing else needs.
    if (3 * text.length > SEGMENT_BYTES) {
      return this.#kept.push(seq, { ...kept, segment: text, start: 0, end: textBytes(text) });
    }
    const segment = this.#roomFor(text);
    const start = segment.used;
    const { written } = encoder.encodeInto(text, segment.bytes.subarray(start));
    const end = segment.used = start + written;
    segment.live++;
    this.#kept.push(seq, { ...kept, segment, start, end });
  }

  /** Up to `limit` events after `seq`, and (except for the first) `maxBytes`; `null` when not all are kept. */
  eventsAfter(seq: number, limit: number, maxBytes: number = Infinity): EncodedEvent[] | null {
    if (!this.covers(seq)) return null;
    const events: EncodedEvent[] = [];
    let bytes = 0;
    for (const kept of this.#kept.after(seq)) {
      bytes += kept.end - kept.start;
      if (events.length >= limit || (events.length > 0 && bytes > maxBytes)) break;
      events.push(this.#decoded.get(kept.seq) ?? this.#decode(kept));
    }
    return events;
  }

  #decode({ seq, type, service, id, segment, start, end }: Kept): EncodedEvent {
    const event = { seq, event: type, data: { service, id } };
    if (typeof segment === "string") return { event, text: segment };
    const text = decoder.decode(segment.bytes.subarray(start, end));
    const encoded = { event, text };
    if (this.#decodedChars > MAX_DECODED) {
      this.#decoded.clear();
      this.#decodedChars = 0;
    }
    this.#decodedChars += text.length;
    this.#decoded.set(seq, encoded);
    return encoded;
  }

  /** A segment with room for a text. */
  #roomFor(text: string): Segment {
    // A character takes three bytes at most.
    if (this.#segment.hasRoom(3 * text.length)) return this.#segment;
    const next = this.#spare ?? new Segment(SEGMENT_BYTES);
    this.#spare = null;
    return this.#segment = next;
  }

  #evicted(segment: Segment | string): void {
    if (typeof segment === "string" || --segment.live > 0 || segment === this.#segment) return;
    segment.used = 0;
    this.#spare = segment;
  }
}

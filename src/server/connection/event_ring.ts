/**
 * The newest events, already encoded, so that a resume rarely touches the disk.
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

/** The newest events, without a gap. */
export class EventRing extends SeqRing<EncodedEvent> {
  /** An empty ring after `seq`; bytes are those of the texts in memory. */
  constructor(seq: number, bounds: RingBounds) {
    super(seq, bounds, {
      seqOf: ({ event }) => event.seq,
      bytesOf: ({ text }) => textBytes(text),
    });
  }

  /** Up to `limit` events after `seq`, and (except for the first) `maxChars`; `null` when not all are kept. */
  eventsAfter(seq: number, limit: number, maxChars: number = Infinity): EncodedEvent[] | null {
    if (!this.covers(seq)) return null;
    const events: EncodedEvent[] = [];
    let chars = 0;
    for (const item of this.after(seq)) {
      chars += item.text.length;
      if (events.length >= limit || (events.length > 0 && chars > maxChars)) break;
      events.push(item);
    }
    return events;
  }
}

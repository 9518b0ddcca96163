/**
 * The newest changes in memory, for resuming subscribers.
 *
 * @module
 */
import type { RegistryEvent } from "../model/event.ts";
import { SeqRing } from "../util/seq_ring.ts";
import { HISTORY_READ_BYTES, HISTORY_RING_BYTES, MIN_HISTORY_EVENTS } from "./limits.ts";

/** The events of one change, in the form in which they are kept. */
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

/** Bounds of an {@linkcode ChangeRing}. */
export interface ChangeRingOptions {
  /** Events kept. @default {MIN_HISTORY_EVENTS} */
  keep?: number | undefined;
  /** Bytes kept at most. @default {HISTORY_RING_BYTES} */
  maxBytes?: number | undefined;
}

/** The newest changes, without a gap. */
export class ChangeRing extends SeqRing<KeptChange> {
  /** An empty ring after `seq`. */
  constructor(seq: number, options: ChangeRingOptions = {}) {
    const { keep = MIN_HISTORY_EVENTS, maxBytes = HISTORY_RING_BYTES } = options;
    // Twice as many, so that a large change does not evict most of the others.
    super(seq, { maxSeqs: 2 * keep, maxBytes }, {
      seqOf: (change) => change.seq,
      bytesOf: (change) => change.bytes,
    });
  }

  /** Adds a change. */
  add(change: KeptChange): void {
    this.push(change.first, change);
  }

  /** Events after a seq, at most `limit` and (except for the first) `maxBytes`; `null` when not all are kept. */
  eventsAfter(
    seq: number,
    limit: number,
    maxBytes: number = HISTORY_READ_BYTES,
  ): RegistryEvent[] | null {
    if (!this.covers(seq)) return null;
    const events: RegistryEvent[] = [];
    let bytes = 0;
    for (const change of this.after(seq)) {
      if (events.length >= limit || (events.length > 0 && bytes + change.bytes > maxBytes)) break;
      bytes += change.bytes;
      const wanted = change.read().filter((event) => event.seq > seq);
      events.push(...wanted.slice(0, limit - events.length));
    }
    return events;
  }
}

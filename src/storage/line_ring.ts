/**
 * The newest changes in memory, as the lines that were written to the journal.
 *
 * They are copied one after the other into blocks that are used again: a buffer for each would live just long enough
 * to be moved by the garbage collector, and would leave a hole among what stays.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { RegistryEvent } from "../model/event.ts";
import { eventsOf, type EventsWanted } from "./journal/history.ts";
import { HISTORY_RING_BYTES } from "./limits.ts";

/** Bytes of a block: so many are evicted at once. */
const BLOCK_BYTES = 128 * 1024;

interface Block {
  readonly bytes: Buffer;
  used: number;
  /** Where its lines begin and end, two numbers each. */
  readonly lines: number[];
  /** Seq of the last event in it. */
  lastSeq: number;
}

/** The lines of the newest changes, without a gap. */
export class LineRing {
  readonly #maxBytes: number;
  readonly #blockBytes: number;
  readonly #blocks: Block[] = [];
  /** One that is used again. */
  #spare: Block | null = null;
  #bytes = 0;
  #floor: number;
  #seq: number;

  /** An empty ring after `seq`, of at most `maxBytes`. */
  constructor(seq: number, maxBytes: number = HISTORY_RING_BYTES) {
    this.#floor = this.#seq = seq;
    this.#maxBytes = maxBytes;
    this.#blockBytes = Math.min(BLOCK_BYTES, maxBytes >>> 2);
  }

  /** Seq of the newest event. */
  get seq(): number {
    return this.#seq;
  }

  /** Seq before the oldest event. */
  get floor(): number {
    return this.#floor;
  }

  /** Bytes of the lines. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Copies the line of a change with the events `first` to `seq`; one that leaves a gap evicts all before it. */
  add(first: number, seq: number, line: Buffer): void {
    if (first !== this.#seq + 1) {
      while (this.#blocks.length > 0) this.#evict();
      this.#floor = first - 1;
    }
    const block = this.#roomFor(line.length);
    line.copy(block.bytes, block.used);
    block.lines.push(block.used, block.used + line.length);
    block.used += line.length;
    this.#bytes += line.length;
    this.#seq = block.lastSeq = seq;
    while (this.#bytes > this.#maxBytes) this.#evict();
  }

  /** The events that are wanted, at least one if there is one; `null` when not all after that seq are kept. */
  eventsAfter({ after, limit, maxBytes }: EventsWanted): RegistryEvent[] | null {
    if (after < this.#floor || after > this.#seq) return null;
    const events: RegistryEvent[] = [];
    let bytes = 0;
    for (const block of this.#blocks) {
      if (block.lastSeq <= after) continue;
      if (events.length >= limit || (events.length > 0 && bytes + block.used > maxBytes)) break;
      bytes += block.used;
      const from = events.at(-1)?.seq ?? after;
      events.push(...eventsOf(block, { after: from, limit: limit - events.length, maxBytes }));
    }
    return events;
  }

  #roomFor(bytes: number): Block {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.used + bytes <= last.bytes.length) return last;
    const isOrdinary = bytes <= this.#blockBytes;
    const block = isOrdinary && this.#spare || {
      bytes: Buffer.alloc(Math.max(bytes, this.#blockBytes)),
      used: 0,
      lines: [],
      lastSeq: 0,
    };
    if (isOrdinary) this.#spare = null;
    this.#blocks.push(block);
    return block;
  }

  #evict(): void {
    const block = this.#blocks.shift();
    if (block === undefined) return;
    this.#bytes -= block.used;
    this.#floor = block.lastSeq;
    if (block.bytes.length !== this.#blockBytes) return;
    block.used = block.lines.length = 0;
    this.#spare = block;
  }
}

/**
 * Events older than the fan-out's ring, read from the store and encoded once for all connections that resume.
 *
 * @module
 */
import { Mutex } from "../../util/mutex.ts";
import {
  REPLAY_BATCH_EVENTS,
  REPLAY_CACHE_BYTES,
  SNAPSHOT_PAGE_BYTES,
  TURN_MS,
} from "../limits.ts";
import { encodeEvent } from "../../protocol/codec.ts";
import { textBytes } from "../../registry/entry_text.ts";
import type { Registry } from "../../registry/registry.ts";
import { type EncodedEvent, headOf } from "./event_ring.ts";
import { sleep } from "../../util/async.ts";

/** Reads history, one page at a time for all subscribers together. */
export class Replays {
  readonly #registry: Registry;
  readonly #maxBytes: number;
  /** Recently read events by seq, the oldest read first: many connections resume from about the same place. */
  readonly #events = new Map<number, EncodedEvent>();
  #bytes = 0;
  #encoded = 0;
  readonly #reading = new Mutex();
  #worked = 0;

  /** Reads from a registry. */
  constructor(registry: Registry, maxBytes: number = REPLAY_CACHE_BYTES) {
    this.#registry = registry;
    this.#maxBytes = maxBytes;
  }

  /** Number of events encoded so far. */
  get encoded(): number {
    return this.#encoded;
  }

  /** Bytes of cached text. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A page of events after a seq, or `null` when they are not all kept. */
  async after(seq: number): Promise<EncodedEvent[] | null> {
    return this.#known(seq) ?? await this.#reading.runExclusive(() => this.#read(seq));
  }

  #known(seq: number): EncodedEvent[] | null {
    const page: EncodedEvent[] = [];
    let chars = 0;
    while (page.length < REPLAY_BATCH_EVENTS && chars < SNAPSHOT_PAGE_BYTES) {
      const event = this.#events.get(seq + page.length + 1);
      if (event === undefined) break;
      page.push(event);
      chars += event.text.length;
    }
    return page.length === 0 ? null : page;
  }

  async #read(seq: number): Promise<EncodedEvent[] | null> {
    // Another waiter of the same queue may have read it.
    const known = this.#known(seq);
    if (known !== null) return known;
    await this.#pause();
    const begun = performance.now();
    const events = await this.#registry.history(seq, REPLAY_BATCH_EVENTS, SNAPSHOT_PAGE_BYTES);
    for (const event of events ?? []) {
      // Of two readers that began at different places, one may already know what follows.
      if (this.#events.has(event.seq)) continue;
      const text = encodeEvent(event);
      this.#encoded++;
      this.#bytes += textBytes(text);
      this.#events.set(event.seq, { event: headOf(event), text });
    }
    const page = events === null ? null : this.#known(seq);
    this.#shrink();
    this.#worked += performance.now() - begun;
    return page;
  }

  /** Yields the event loop after some work: awaiting a settled promise does not. */
  async #pause(): Promise<void> {
    if (this.#worked < TURN_MS) return;
    await sleep(0);
    this.#worked = 0;
  }

  #shrink(): void {
    for (const [seq, { text }] of this.#events) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#bytes -= textBytes(text);
      this.#events.delete(seq);
    }
  }
}

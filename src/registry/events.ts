/**
 * Delivers events in order to listeners, and to Web Streams: first the kept ones, then live ones, without a
 * gap and bounded.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import { entryText } from "./entry_text.ts";
import { MAX_EVENT_QUEUE } from "./limits.ts";
import type { EventFilter, RegistryEvent } from "../model/event.ts";
import { eventMatcher } from "./filter.ts";

/** What an event stream needs from the registry. */
export interface EventSource {
  /** Seq of the last event. */
  readonly seq: number;
  /** Calls `listener` with every event from now on; returns a function that ends it. */
  subscribe(listener: (event: RegistryEvent) => void): () => void;
  /** Kept events after a seq, or `null` when they are not all kept. */
  history(afterSeq: number, limit: number): Promise<RegistryEvent[] | null>;
}

/** Options for {@linkcode eventStream}. */
export interface EventsOptions {
  /** Which events. @default {all} */
  filter?: EventFilter | undefined;
  /** Starts with the events after this seq. @default {live events only} */
  since?: number | undefined;
  /** Ends the stream: a pending read rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Events a reader may lag behind; one of a large entry counts as several. @default {MAX_EVENT_QUEUE} */
  maxQueue?: number | undefined;
}

/** A stream and the way to end it from the registry's side. */
interface OpenStream {
  /** Whether it has ended. */
  readonly ended: boolean;
  /** The reader's side. */
  stream: ReadableStream<RegistryEvent>;
  /** Ends it after what is queued. */
  close(): void;
}

/**
 * A stream of events. A reader that falls behind by more than the limit gets an error instead of a gap.
 *
 * @param onEnd Called once when the stream has ended, however it did.
 */
function eventStream(
  source: EventSource,
  options: EventsOptions,
  onEnd: () => void,
): OpenStream {
  return new EventFeed(source, options, onEnd);
}

class EventFeed implements OpenStream {
  readonly stream: ReadableStream<RegistryEvent>;
  readonly #source: EventSource;
  readonly #wants: (event: RegistryEvent) => boolean;
  readonly #maxQueue: number;
  readonly #signal: AbortSignal | undefined;
  readonly #onEnd: () => void;
  #controller: ReadableStreamDefaultController<RegistryEvent> | null = null;
  /** Seq of the last event processed. */
  #position: number;
  /** Set while the feed is live. */
  #unsubscribe: (() => void) | null = null;
  #ended = false;

  constructor(source: EventSource, options: EventsOptions, onEnd: () => void) {
    this.#source = source;
    this.#wants = eventMatcher(options.filter ?? {});
    this.#maxQueue = options.maxQueue ?? MAX_EVENT_QUEUE;
    this.#signal = options.signal;
    this.#onEnd = onEnd;
    this.#position = options.since ?? source.seq;
    this.stream = new ReadableStream<RegistryEvent>({
      start: (controller) => {
        this.#controller = controller;
        this.#begin(options.since === undefined);
      },
      pull: () => this.#pull(),
      cancel: () => this.#end(() => {}),
    }, { highWaterMark: this.#maxQueue, size: sizeOf });
  }

  get ended(): boolean {
    return this.#ended;
  }

  close(): void {
    this.#end((controller) => controller.close());
  }

  #begin(live: boolean): void {
    if (this.#position > this.#source.seq) return this.#fail(notKept(this.#position));
    if (this.#signal?.aborted === true) return this.#abort();
    this.#signal?.addEventListener("abort", this.#abort);
    if (live) this.#unsubscribe = this.#source.subscribe((event) => this.#deliver(event));
  }

  /** Called when there is room in the queue; live events are pushed. */
  async #pull(): Promise<void> {
    if (this.#unsubscribe !== null || this.#ended) return;
    try {
      await this.#replay();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Reads kept events until at least one matches, or switches to live after the last. */
  async #replay(): Promise<void> {
    while (!this.#ended && this.#position < this.#source.seq) {
      const room = this.#room();
      const events = await this.#source.history(this.#position, Math.max(1, room));
      if (this.#ended) return;
      if (events === null || events.length === 0) throw notKept(this.#position);
      for (const event of events) {
        if (this.#room() <= 0) break; // large ones count as several
        this.#deliver(event);
      }
      if (this.#room() !== room) break;
    }
    // No await between the comparison and the subscription: nothing can come in between.
    if (this.#ended || this.#position < this.#source.seq) return;
    this.#unsubscribe = this.#source.subscribe((event) => this.#deliver(event));
  }

  #deliver(event: RegistryEvent): void {
    this.#position = event.seq;
    if (this.#ended || !this.#wants(event)) return;
    if (this.#room() <= 0) this.#fail(tooSlow(event.seq, this.#maxQueue));
    else this.#controller?.enqueue(event);
  }

  #room(): number {
    return this.#controller?.desiredSize ?? 0;
  }

  readonly #abort = (): void => this.#fail(this.#signal?.reason);

  #fail(error: unknown): void {
    this.#end((controller) => controller.error(error));
  }

  #end(finish: (controller: ReadableStreamDefaultController<RegistryEvent>) => void): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#unsubscribe?.();
    this.#signal?.removeEventListener("abort", this.#abort);
    if (this.#controller !== null) finish(this.#controller);
    this.#onEnd();
  }
}

/** Bytes of an entry that count as one event in a queue. */
const EVENT_BYTES = 8 * 1024;

/** How many events one counts as: a queue is bounded by bytes, too. */
function sizeOf({ data }: RegistryEvent): number {
  if (!("entry" in data) || !Object.isFrozen(data.entry)) return 1;
  return Math.max(1, Math.floor(entryText(data.entry).length / EVENT_BYTES));
}

function tooSlow(seq: number, maxQueue: number): HarnessError {
  return new HarnessError(
    "unavailable",
    `Cannot go on with this event stream: its reader is more than ${maxQueue} events behind; ` +
      `read faster, or open a new one with since: <the last seq you have>`,
    { details: { seq, max_queue: maxQueue } },
  );
}

function notKept(after: number): HarnessError {
  return new HarnessError(
    "not_found",
    `Cannot replay events after seq ${after}: they are not all kept; start from list()`,
    { details: { after } },
  );
}

type Listener = (event: RegistryEvent) => void;

/** The listeners and open streams of one registry. */
export class EventBus {
  readonly #streams = new Set<OpenStream>();
  #listeners: readonly Listener[] = [];
  #closed = false;

  /** Adds a listener; returns a function that removes it, after whose call no event follows. */
  subscribe(listener: Listener): () => void {
    // Wrapped, so that the same function given twice is two subscriptions.
    const own: Listener = (event) => listener(event);
    this.#listeners = [...this.#listeners, own];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== own);
    };
  }

  /** Calls every listener with every event; one that throws does not affect the others. */
  deliver(events: readonly RegistryEvent[]): void {
    const listeners = this.#listeners;
    for (const event of events) {
      for (const listener of listeners) {
        // Removed by an earlier listener of this very event: nothing may follow.
        if (listeners !== this.#listeners && !this.#listeners.includes(listener)) continue;
        try {
          listener(event);
        } catch (error) {
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    }
  }

  /** Opens a stream that ends with the bus. */
  stream(source: EventSource, options: EventsOptions): ReadableStream<RegistryEvent> {
    let open: OpenStream | null = null;
    open = eventStream(source, options, () => open !== null && this.#streams.delete(open));
    if (this.#closed) open.close();
    else if (!open.ended) this.#streams.add(open);
    return open.stream;
  }

  /** Ends all streams, present and future. */
  close(): void {
    this.#closed = true;
    for (const stream of [...this.#streams]) stream.close();
  }
}

/**
 * Events as a Web Stream: first those already kept, then live ones, without a gap and bounded.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import { MAX_EVENT_QUEUE } from "../limits.ts";
import type { EventFilter, RegistryEvent } from "./events.ts";
import { eventMatcher } from "./filter.ts";

/** What an event stream needs of the registry. */
export interface EventSource {
  /** Seq of the last event. */
  readonly seq: number;
  /** Calls `listener` with every event from now on; returns what ends that. */
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
  /** Events a reader may lag behind. @default {MAX_EVENT_QUEUE} */
  maxQueue?: number | undefined;
}

/** A stream and the way to end it from the registry's side. */
export interface OpenStream {
  /** Whether it has ended. */
  readonly ended: boolean;
  /** What the reader gets. */
  stream: ReadableStream<RegistryEvent>;
  /** Ends it: the reader gets what is queued, then the end. */
  close(): void;
}

/**
 * A stream of events. A reader that falls behind by more than the limit gets an error instead of a gap.
 *
 * @param onEnd Called once when the stream has ended, however it did.
 */
export function eventStream(
  source: EventSource,
  options: EventsOptions,
  onEnd: () => void,
): OpenStream {
  const wants = eventMatcher(options.filter ?? {});
  const maxQueue = options.maxQueue ?? MAX_EVENT_QUEUE;
  const { signal } = options;
  let position = options.since ?? source.seq;
  let controller: ReadableStreamDefaultController<RegistryEvent>;
  let unsubscribe: (() => void) | null = null;
  let ended = false;

  function end(finish: () => void): void {
    if (ended) return;
    ended = true;
    unsubscribe?.();
    signal?.removeEventListener("abort", abort);
    finish();
    onEnd();
  }
  function abort(): void {
    end(() => controller.error(signal?.reason));
  }
  function deliver(event: RegistryEvent): void {
    position = event.seq;
    if (ended || !wants(event)) return;
    if ((controller.desiredSize ?? 0) <= 0) {
      end(() => controller.error(tooSlow(event.seq, maxQueue)));
    } else {
      controller.enqueue(event);
    }
  }
  /** Moves on through the kept events until at least one is wanted, or there are no more. */
  async function replay(): Promise<void> {
    while (!ended && position < source.seq) {
      const room = Math.max(1, Math.min(controller.desiredSize ?? 1, maxQueue));
      const events = await source.history(position, room);
      if (ended) return;
      if (events === null || events.length === 0) throw notKept(position);
      const before = controller.desiredSize;
      for (const event of events) deliver(event);
      if (controller.desiredSize !== before) break;
    }
    // No await between the comparison and the subscription: nothing can come in between.
    if (!ended && position >= source.seq) unsubscribe = source.subscribe(deliver);
  }

  const stream = new ReadableStream<RegistryEvent>({
    start(c): void {
      controller = c;
      if (options.since === undefined) unsubscribe = source.subscribe(deliver);
      if (position > source.seq) end(() => c.error(notKept(position)));
      else if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort);
    },
    async pull(): Promise<void> {
      if (unsubscribe !== null || ended) return;
      try {
        await replay();
      } catch (error) {
        end(() => controller.error(error));
      }
    },
    cancel(): void {
      end(() => {});
    },
  }, { highWaterMark: maxQueue });
  return {
    get ended(): boolean {
      return ended;
    },
    stream,
    close: () => end(() => controller.close()),
  };
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

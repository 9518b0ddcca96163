/**
 * What the user iterates: events in order, resumed by itself across reconnects.
 *
 * @module
 */
import type { SubscribableEvent } from "../../protocol/actions.ts";
import type { Feed } from "./buffer.ts";
import type { Position, StreamItem } from "./items.ts";
import type { Resumption } from "./subscription.ts";

/** Options for `client.events()`. */
export interface EventsOptions<E extends SubscribableEvent = SubscribableEvent> {
  /** Event types. @default {all but service_log} */
  events?: readonly E[];
  /** Instance ids, service names or globs (`api-*`, `web@host-?`). @default {all} */
  services?: readonly string[];
  /** Begins after this place: the `position` of an earlier stream. */
  since?: Position;
  /** Begins with a snapshot. @default {false} */
  snapshot?: boolean;
  /** Ends the stream, without an error. */
  signal?: AbortSignal;
  /** Events kept for a reader that lags, before they are fetched again later. @default {1024} */
  bufferSize?: number;
}

/**
 * A stream of events. Iterate it once, with `for await`; leaving the loop ends the subscription.
 *
 * It ends when it is closed, when its signal is aborted, or when the client is closed; it throws when the
 * server refuses the subscription or the client cannot come back.
 */
export class EventStream<E extends SubscribableEvent = SubscribableEvent>
  implements AsyncIterableIterator<StreamItem<E>, undefined> {
  readonly #feed: Feed;
  readonly #onClose: () => void;
  /** Resolves when the server acknowledged the subscription: every change after it is in the stream. */
  readonly ready: Promise<Resumption>;

  /** Made by `client.events()`. */
  constructor(feed: Feed, ready: Promise<Resumption>, onClose: () => void) {
    this.#feed = feed;
    this.#onClose = onClose;
    this.ready = ready;
    // The iterator reports the same error: nobody has to look at ready.
    ready.catch(() => {});
  }

  /** Up to where this stream was read, for `since` of another one; `null` before the first acknowledgement. */
  get position(): Position | null {
    const position = this.#feed.readPosition;
    return position === null ? null : { ...position };
  }

  /** The next item. */
  next(): Promise<IteratorResult<StreamItem<E>, undefined>> {
    return this.#feed.next() as Promise<IteratorResult<StreamItem<E>, undefined>>;
  }

  /** Ends the stream; called by a `for await` that is left early. */
  return(): Promise<IteratorResult<StreamItem<E>, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Ends the stream and its subscription. Idempotent. */
  close(): void {
    this.#feed.discard();
    this.#onClose();
  }

  /** The stream itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the stream, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}

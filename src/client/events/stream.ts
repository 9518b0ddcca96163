/**
 * The event stream that a caller iterates; it resumes across reconnects.
 *
 * @module
 */
import type { SubscribableEvent } from "../../protocol/actions.ts";
import type { EventBuffer } from "./buffer.ts";
import type { Position, StreamItem } from "./items.ts";
import type { Resumption } from "./subscription.ts";

/** Options for `client.events()`. */
export interface EventsOptions<E extends SubscribableEvent = SubscribableEvent> {
  /** Event types. @default {all but service_log} */
  events?: readonly E[] | undefined;
  /** Instance ids, service names or globs (`api-*`, `web@host-?`). @default {all} */
  services?: readonly string[] | undefined;
  /** Begins after this position: the `position` of an earlier stream. */
  since?: Position | undefined;
  /** Begins with a snapshot. @default {false} */
  snapshot?: boolean | undefined;
  /** Ends the stream, without an error. */
  signal?: AbortSignal | undefined;
  /** Events buffered for a slow reader; more are fetched again later. @default {1024} */
  bufferSize?: number | undefined;
}

/**
 * A stream of events. Iterate it once, with `for await`; leaving the loop ends the subscription.
 *
 * It ends when it is closed, its signal is aborted, or the client is closed. It throws when the server refuses the
 * subscription or the client cannot reconnect.
 */
export class EventStream<E extends SubscribableEvent = SubscribableEvent>
  implements AsyncIterableIterator<StreamItem<E>, undefined> {
  readonly #buffer: EventBuffer;
  readonly #onClose: () => void;
  /** Resolves when the server has acknowledged the subscription: every later change is in the stream. */
  readonly ready: Promise<Resumption>;

  /** Created by `client.events()`. */
  constructor(buffer: EventBuffer, ready: Promise<Resumption>, onClose: () => void) {
    this.#buffer = buffer;
    this.#onClose = onClose;
    this.ready = ready;
    // The iterator reports the same error, so `ready` may be ignored.
    ready.catch(() => {});
  }

  /** The position of the last item read, for `since` of another stream; `null` before the first acknowledgement. */
  get position(): Position | null {
    const position = this.#buffer.readPosition;
    return position === null ? null : { ...position };
  }

  /** The next item. */
  next(): Promise<IteratorResult<StreamItem<E>, undefined>> {
    return this.#buffer.next() as Promise<IteratorResult<StreamItem<E>, undefined>>;
  }

  /** Ends the stream; called when a `for await` loop exits early. */
  return(): Promise<IteratorResult<StreamItem<E>, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Ends the stream and its subscription. Idempotent. */
  close(): void {
    this.#buffer.discard();
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

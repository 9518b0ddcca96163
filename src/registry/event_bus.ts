/**
 * Hands events to listeners and streams, in order.
 *
 * @module
 */
import {
  type EventsOptions,
  type EventSource,
  eventStream,
  type OpenStream,
} from "./event_stream.ts";
import type { RegistryEvent } from "../model/event.ts";

type Listener = (event: RegistryEvent) => void;

/** The listeners and open streams of one registry. */
export class EventBus {
  readonly #streams = new Set<OpenStream>();
  #listeners: readonly Listener[] = [];
  #closed = false;

  /** Adds a listener; returns what removes it, after which no event follows. */
  subscribe(listener: Listener): () => void {
    // Wrapped, so that the same function given twice is two subscriptions.
    const own: Listener = (event) => listener(event);
    this.#listeners = [...this.#listeners, own];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== own);
    };
  }

  /** Calls every listener with every event. One that throws does not keep the others from hearing it. */
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

  /** Ends all streams, those to come too. */
  close(): void {
    this.#closed = true;
    for (const stream of [...this.#streams]) stream.close();
  }
}

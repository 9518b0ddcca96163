/**
 * Merges the events of many hosts into one bounded stream for a possibly slow reader.
 *
 * @module
 */
import { DEPLOY_EVENT_QUEUE } from "./limits.ts";
import type { DeployProgress } from "./progress.ts";

/** Events in the order of `push`. Beyond its limit, those with status `progress` are dropped. */
export class ProgressQueue {
  #events: DeployProgress[] = [];
  #wake = Promise.withResolvers<void>();
  #closed = false;

  /** Adds an event. */
  push(event: DeployProgress): void {
    if (this.#events.length >= DEPLOY_EVENT_QUEUE) {
      // All others are few, and never dropped.
      this.#events = this.#events.filter((e) => e.status !== "progress");
    }
    this.#events.push(event);
    this.#wake.resolve();
  }

  /** Ends the stream after what was pushed. */
  close(): void {
    this.#closed = true;
    this.#wake.resolve();
  }

  /** The events, until the queue is closed and empty. */
  async *[Symbol.asyncIterator](): AsyncGenerator<DeployProgress, void> {
    while (true) {
      const events = this.#events;
      this.#events = [];
      yield* events;
      if (this.#events.length > 0) continue;
      if (this.#closed) return;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers<void>();
    }
  }
}

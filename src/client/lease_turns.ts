/**
 * What the leases of one client share: how many heartbeats are under way, and the news of a connection.
 *
 * @module
 */
import { MAX_CLIENT_HEARTBEATS } from "./limits.ts";

/** Turns of the leases of one client. */
export class LeaseTurns {
  readonly #listeners = new Set<() => void>();
  readonly #waiting: Array<() => void> = [];
  #running = 0;

  /** Calls `listener` at each {@linkcode LeaseTurns.wake}; returns a function that ends it. */
  onWake(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Makes all leases send a heartbeat: the server may have lost them, or missed some. */
  wake(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** Runs a task in its turn: a server takes only so many requests of one connection at once. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running < MAX_CLIENT_HEARTBEATS) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/**
 * Long work on the event loop in slices, so that timers and sockets do not wait for its end.
 *
 * @module
 */
import { sleep } from "../util/async.ts";

/** A slice of work. */
export class EventLoopSlice {
  readonly #ms: number;
  #began = performance.now();

  /** Begins one of `ms`. */
  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Whether others should have their turn. */
  isOver(): boolean {
    return performance.now() - this.#began > this.#ms;
  }

  /** Gives them their turn, and begins the next slice. */
  async next(): Promise<void> {
    await sleep(0);
    this.#began = performance.now();
  }
}

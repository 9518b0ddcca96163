/**
 * Long work on the event loop in slices, so that timers and sockets do not wait for its end.
 *
 * @module
 */
import { sleep } from "../util/async.ts";
import { EVENT_LOOP_SLICE_MS } from "./limits.ts";

/** A slice of work. */
export class EventLoopSlice {
  #began = performance.now();

  /** Whether others should have their turn. */
  isOver(): boolean {
    return performance.now() - this.#began > EVENT_LOOP_SLICE_MS;
  }

  /** Gives them their turn, and begins the next slice. */
  async next(): Promise<void> {
    await sleep(0);
    this.#began = performance.now();
  }
}

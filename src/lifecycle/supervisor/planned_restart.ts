/**
 * The one restart that may be planned for a service.
 *
 * @module
 */
import { sleep } from "../../util/async.ts";

/** A pause with something to do after it; planning again or cancelling takes the place of what was planned. */
export class PlannedRestart {
  #plan: AbortController | null = null;
  #isWaiting = false;
  #done: Promise<void> = Promise.resolve();

  /** Whether a restart is planned that has not begun. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Calls `restart` after a pause; its signal fires when the restart is no longer wanted. It must not reject. */
  plan(delayMs: number, restart: (signal: AbortSignal) => Promise<void>): void {
    this.cancel();
    const plan = this.#plan = new AbortController();
    this.#isWaiting = true;
    this.#done = sleep(delayMs, plan.signal).then((due) => due ? restart(plan.signal) : undefined);
  }

  /** The restart begins. */
  begin(): void {
    this.#isWaiting = false;
  }

  /** Cancels the plan. */
  cancel(): void {
    this.#isWaiting = false;
    this.#plan?.abort();
  }

  /** Waits until its work has ended. */
  async settled(): Promise<void> {
    await this.#done;
  }
}

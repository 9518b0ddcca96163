/**
 * The large answers of one connection: one at a time, each in its turn, none for a socket that is gone.
 *
 * @module
 */
import { encodeDataText } from "../protocol/codec.ts";
import type { Answer } from "./answers.ts";
import type { SendQueue } from "./send_queue.ts";
import type { Turns, Work } from "./turns.ts";

/** Sends large answers. */
export class Outbox {
  readonly #queue: SendQueue;
  readonly #turns: Turns;
  #last: Promise<unknown> = Promise.resolve();
  #size = 0;

  /** An outbox in front of a queue. */
  constructor(queue: SendQueue, turns: Turns) {
    this.#queue = queue;
    this.#turns = turns;
  }

  /** Whether nothing waits in it. */
  get isEmpty(): boolean {
    return this.#size === 0;
  }

  /** Sends an answer after those before it. @throws what making it throws. */
  add(id: string, answer: Answer): Promise<void> {
    this.#size++;
    const sent = this.#size === 1
      ? this.#send(id, answer)
      : this.#last.then(() => this.#send(id, answer));
    const done = sent.finally(() => this.#size--);
    this.#last = done.catch(() => {});
    return done;
  }

  async #send(id: string, answer: Answer): Promise<void> {
    for (;;) {
      while (!this.#queue.isReady) await this.#queue.ready();
      if (this.#queue.closed) return;
      if (await this.#turns.run(this, this.#steps(id, answer)) !== false) return;
    }
  }

  /** Gives up what waits. */
  close(): void {
    this.#turns.leave(this);
  }

  /** False when the room has gone to another meanwhile. */
  *#steps(id: string, answer: Answer): Work<boolean> {
    const text = yield* answer.make();
    if (this.#queue.closed) return true;
    if (!this.#queue.isReady) return false;
    this.#queue.pushLarge(encodeDataText(id, text));
    return true;
  }
}

/**
 * The large answers of one connection: one at a time, each in its turn, none for a socket that is gone.
 *
 * @module
 */
import { encodeDataText } from "../../protocol/codec.ts";
import type { Answer } from "./answers.ts";
import type { SendQueue } from "./send_queue.ts";
import type { Turns, Work } from "./turns.ts";

/** Sends large answers. */
export class Outbox {
  readonly #owner: object;
  readonly #queue: SendQueue;
  readonly #turns: Turns;
  #last: Promise<unknown> = Promise.resolve();
  #size = 0;

  /** The outbox of a connection, in front of its queue. Who ends the connection leaves the turns for it. */
  constructor(owner: object, queue: SendQueue, turns: Turns) {
    this.#owner = owner;
    this.#queue = queue;
    this.#turns = turns;
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
      if (await this.#turns.run(this.#owner, this.#steps(id, answer)) !== false) return;
    }
  }

  /** False when the room has gone to another meanwhile. */
  *#steps(id: string, answer: Answer): Work<boolean> {
    const text = yield* answer.make();
    if (this.#queue.closed) return true;
    if (!this.#queue.isReady) return false;
    this.#queue.pushLarge(encodeDataText(id, text));
    this.#turns.spend(text.length);
    return true;
  }
}

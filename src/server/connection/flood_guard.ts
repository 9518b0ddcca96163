/**
 * Ends the connection of whoever floods the server with messages.
 *
 * A WebSocket of `Deno.serve` hands over one message after the other for as long as there are any, in one
 * turn of the event loop: a peer that sends without end would be the only one ever heard, and no timer would
 * come to its end. `npm:ws` does so for each chunk it reads. So messages are counted where they arrive.
 *
 * @module
 */

/** How many messages a peer has brought in a turn of the event loop. */
export interface PeerMessages {
  /** Which turn. */
  turn: number;
  /** How many. */
  count: number;
}

/** Counts the messages of all connections. */
export class FloodGuard {
  readonly #max: number;
  readonly #maxOfOne: number;
  #turn = 0;
  #count = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Messages in one turn of all connections, and of each where there are more. */
  constructor(max: number, maxOfOne: number) {
    this.#max = max;
    this.#maxOfOne = maxOfOne;
  }

  /** Counts a message of a peer; true when it has brought its part of too many. */
  isFlood(peer: PeerMessages): boolean {
    if (peer.turn !== this.#turn) {
      peer.turn = this.#turn;
      peer.count = 0;
    }
    // Not for every message: where there are few, several turns count as one.
    if (++this.#count >= this.#maxOfOne) this.#timer ??= setTimeout(() => this.#begin(), 0);
    return ++peer.count > this.#maxOfOne && this.#count > this.#max;
  }

  /** Counts no more. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #begin(): void {
    this.#timer = undefined;
    this.#turn++;
    this.#count = 0;
  }
}

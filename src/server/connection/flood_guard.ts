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

/** Lets `perSecond` pass in the long run and twice as many in a burst. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #capacity: number;
  readonly #now: () => number;
  #tokens: number;
  #filledAt: number;

  /** Starts full. `now` is a clock in milliseconds. */
  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond;
    this.#capacity = 2 * perSecond;
    this.#tokens = this.#capacity;
    this.#now = now;
    this.#filledAt = now();
  }

  /** Takes one token; false when there is none. */
  take(): boolean {
    if (this.#tokens < 1) this.#fill();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** How long until the next token, in milliseconds. */
  get waitMs(): number {
    return Math.max(1, Math.ceil((1 - this.#tokens) * 1000 / this.#perSecond));
  }

  #fill(): void {
    const now = this.#now();
    const earned = (now - this.#filledAt) * this.#perSecond / 1000;
    this.#tokens = Math.min(this.#capacity, this.#tokens + earned);
    this.#filledAt = now;
  }
}

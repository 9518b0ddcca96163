/**
 * Detects peers that flood the server: per turn of the event loop, and by request rate.
 *
 * A socket delivers all messages of a chunk it has read in one turn of the event loop: a peer that never stops sending
 * would starve all others and all timers. So messages are counted where they arrive.
 *
 * @module
 */
import type { Turns } from "./turns.ts";

/** Number of messages of a peer in one turn of the event loop. */
export interface PeerMessages {
  /** Number of the turn. */
  turn: number;
  /** Messages in it. */
  count: number;
}

/** Counts the messages of all connections. */
export class FloodGuard {
  readonly #max: number;
  readonly #maxOfOne: number;
  readonly #turns: Turns;
  #turn = 0;
  #count = 0;

  /** A flood is more than `max` messages of all connections in one turn, and more than `maxOfOne` of the peer. */
  constructor(turns: Turns, { max, maxOfOne }: { max: number; maxOfOne: number }) {
    this.#turns = turns;
    this.#max = max;
    this.#maxOfOne = maxOfOne;
  }

  /** Counts a message of a peer; true when there are too many and the peer has sent its share of them. */
  isFlood(peer: PeerMessages): boolean {
    const { number } = this.#turns;
    if (number !== this.#turn) {
      this.#turn = number;
      this.#count = 0;
    }
    if (peer.turn !== number) {
      peer.turn = number;
      peer.count = 0;
    }
    // No timer for every message: with little traffic several turns count as one.
    if (++this.#count >= this.#maxOfOne) this.#turns.begin();
    return ++peer.count > this.#maxOfOne && this.#count > this.#max;
  }
}

/** Token bucket: allows `perSecond` in the long run and twice as many in a burst. */
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

  /** Milliseconds until the next token. */
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

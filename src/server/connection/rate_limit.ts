/**
 * A token bucket: a sustained rate with room for bursts.
 *
 * @module
 */

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

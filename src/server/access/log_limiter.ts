/**
 * Rate limit for log lines about peers.
 *
 * @module
 */
import { LOG_INTERVAL_MS, MAX_LOG_LINES, MAX_LOGGED_ADDRESSES } from "../limits.ts";

interface Noted {
  /** Occurrences since the last line. */
  count: number;
  loggedAt: number;
}

/** Allows one line per key and interval, and a bounded number for all keys together. */
export class LogLimiter {
  readonly #now: () => number;
  readonly #noted = new Map<string, Noted>();
  #lines = 0;
  #linesSince: number;

  /** `now` is a clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#linesSince = now();
  }

  /** Counts one. Returns how many there were since the last line when one is due now, else `null`. */
  note(key: string): number | null {
    const now = this.#now();
    const noted = this.#noted.get(key) ?? { count: 0, loggedAt: -Infinity };
    noted.count++;
    // Last in the order of the map: what was quiet longest is forgotten first.
    this.#noted.delete(key);
    this.#noted.set(key, noted);
    for (const oldest of this.#noted.keys()) {
      if (this.#noted.size <= MAX_LOGGED_ADDRESSES) break;
      this.#noted.delete(oldest);
    }
    if (now - noted.loggedAt < LOG_INTERVAL_MS || !this.#mayLog(now)) return null;
    const { count } = noted;
    noted.count = 0;
    noted.loggedAt = now;
    return count;
  }

  #mayLog(now: number): boolean {
    if (now - this.#linesSince >= LOG_INTERVAL_MS) {
      this.#lines = 0;
      this.#linesSince = now;
    }
    return ++this.#lines <= MAX_LOG_LINES;
  }
}

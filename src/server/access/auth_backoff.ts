/**
 * Backoff for addresses that keep sending wrong tokens: 429 with `Retry-After` instead of 401, and log lines at
 * a limited rate.
 *
 * A right token is accepted from every address at any time: behind a proxy or on one machine many clients share
 * an address, and one of them must not lock the others out. So the token is always compared, which costs one
 * SHA-256 of at most a kilobyte. Guessing is not feasible: tokens have at least 128 bits.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { HarnessError } from "../../errors.ts";
import { TOKEN_SUBPROTOCOL_PREFIX } from "../../protocol/messages.ts";
import { addressKey } from "./addresses.ts";
import { LogLimiter } from "./log_limiter.ts";
import {
  FREE_WRONG_TOKENS,
  MAX_COUNTED_ADDRESSES,
  WRONG_TOKEN_BACKOFF_MAX_MS,
  WRONG_TOKEN_BACKOFF_MS,
  WRONG_TOKEN_MEMORY_MS,
} from "../limits.ts";

interface Failures {
  count: number;
  lastAt: number;
  /** Until then, wrong tokens are answered 429. */
  until: number;
}

/** Counts wrong tokens per address. */
export class AuthBackoff {
  readonly #now: () => number;
  readonly #log: LogLimiter;
  readonly #failures = new Map<string, Failures>();

  /** `now` is a clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#log = new LogLimiter(now);
  }

  /** Number of remembered addresses. */
  get size(): number {
    return this.#failures.size;
  }

  /**
   * Runs `check`, and counts it when it throws.
   *
   * @throws {HarnessError} `rate_limited` for a wrong token of an address that sent too many; else what
   * `check` throws.
   */
  check<T>(request: Request, address: string | undefined, check: () => T): T {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof HarnessError)) throw error;
      const key = address === undefined ? null : addressKey(address);
      this.#report(key ?? "an unknown address", error);
      if (key === null || error.code !== "unauthorized" || !hasToken(request)) throw error;
      const waitMs = this.#failed(key);
      if (waitMs === null) throw error;
      throw new HarnessError(
        "rate_limited",
        "Cannot accept the request: too many wrong tokens from this address; wait, or send the right one",
        { details: { reason: "wrong_tokens", retry_after_ms: waitMs } },
      );
    }
  }

  /** Counts a wrong token. Returns how long to wait when there were too many, else `null`. */
  #failed(key: string): number | null {
    const now = this.#now();
    const known = this.#failures.get(key);
    const failures = known !== undefined && now - known.lastAt < WRONG_TOKEN_MEMORY_MS
      ? known
      : { count: 0, lastAt: now, until: -Infinity };
    failures.lastAt = now;
    this.#failures.delete(key);
    this.#failures.set(key, failures);
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= MAX_COUNTED_ADDRESSES) break;
      this.#failures.delete(oldest);
    }
    if (now < failures.until) return failures.until - now;
    failures.count++;
    const over = failures.count - FREE_WRONG_TOKENS;
    if (over <= 0) return null;
    const waitMs = Math.min(WRONG_TOKEN_BACKOFF_MS * 2 ** (over - 1), WRONG_TOKEN_BACKOFF_MAX_MS);
    failures.until = now + waitMs;
    return waitMs;
  }

  /** Logs an address that keeps trying; never its token. */
  #report(address: string, { message, code }: HarnessError): void {
    const count = this.#log.note(`${address} ${code}`);
    if (count === null) return;
    getLogger(["harness", "server"]).warn(
      "Refused {address}: {why} ({count} times since the last such line)",
      { address, why: message, count },
    );
  }
}

/** Whether a request brings a token, right or wrong. */
function hasToken({ headers }: Request): boolean {
  if (headers.has("authorization")) return true;
  const offered = headers.get("sec-websocket-protocol") ?? "";
  return offered.split(",").some((word) => word.trim().startsWith(TOKEN_SUBPROTOCOL_PREFIX));
}

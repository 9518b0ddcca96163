/**
 * Decides whether and when to reconnect.
 *
 * @module
 */
import type { HarnessError } from "../errors.ts";
import {
  CLIENT_RATE_LIMIT_PAUSE_MS,
  CLIENT_RECONNECT_MAX_DELAY_MS,
  CLIENT_RECONNECT_MIN_DELAY_MS,
} from "./limits.ts";
import { CLOSE_CODES } from "../protocol/messages.ts";

/** How a client reconnects. */
export interface ReconnectOptions {
  /** Upper bound of the first random delay. @default {500} */
  minDelayMs?: number;
  /** Upper bound of every later random delay. @default {20000} */
  maxDelayMs?: number;
  /** Failed attempts in a row before the client gives up. @default {Infinity} */
  maxAttempts?: number;
}

/** How a connection ended. */
export interface Closure {
  /** WebSocket close code; 1006 where there was no close frame. */
  code: number;
  /** The server's reason, or the local cause. */
  reason: string;
  /** Least delay that the server asked for with `server_draining`. */
  reconnectAfterMs?: number;
}

/** Codes after which a reconnect cannot help. */
const FINAL_CODES: ReadonlySet<number> = new Set([
  CLOSE_CODES.bad_messages,
  1002, // protocol error: one of the two sides has a bug
  1003, // unsupported data
  1007, // invalid text
  1008, // policy violation
  1010, // a mandatory extension is missing
]);

/** Whether to reconnect after this close code. */
export function shouldReconnect(code: number): boolean {
  return !FINAL_CODES.has(code);
}

/** Whether a failed attempt to connect may succeed later. */
export function isWorthRetrying(error: HarnessError): boolean {
  return error.code === "unreachable" || error.code === "unavailable" || error.code === "timeout" ||
    error.code === "rate_limited" || error.code === "internal";
}

/**
 * The delay before an attempt: exponential backoff with full jitter between `minDelayMs` and `maxDelayMs`, so that the
 * clients of a restarted server do not all reconnect at once.
 *
 * @param attempt 0 for the first attempt after a connection was lost.
 */
export function backoffDelayMs(
  attempt: number,
  options: ReconnectOptions = {},
  random: () => number = Math.random,
): number {
  const min = options.minDelayMs ?? CLIENT_RECONNECT_MIN_DELAY_MS;
  const max = Math.max(min, options.maxDelayMs ?? CLIENT_RECONNECT_MAX_DELAY_MS);
  return random() * Math.min(max, min * 2 ** Math.min(attempt, 30));
}

/** The least delay that the server asked for. */
export function requestedDelayMs(closure: Closure): number {
  if (closure.code === CLOSE_CODES.rate_limited) return CLIENT_RATE_LIMIT_PAUSE_MS;
  return closure.reconnectAfterMs ?? 0;
}

/**
 * When to come back after a connection ended, and when not to.
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
  /** Upper edge of the first random delay. @default {500} */
  minDelayMs?: number;
  /** Upper edge of every later random delay. @default {20000} */
  maxDelayMs?: number;
  /** Failed attempts in a row after which the client gives up. @default {Infinity} */
  maxAttempts?: number;
}

/** How a connection ended. */
export interface Closure {
  /** WebSocket close code; 1006 where there was no close frame. */
  code: number;
  /** The server's reason, or what is known of the failure. */
  reason: string;
  /** Earliest return that the server asked for with `server_draining`. */
  reconnectAfterMs?: number;
}

/** Codes after which the same client would only be refused again. */
const FINAL_CODES: ReadonlySet<number> = new Set([
  CLOSE_CODES.bad_messages,
  1002, // protocol error: one of the two sides has a bug
  1003, // unsupported data
  1007, // invalid text
  1008, // policy violation
  1010, // a mandatory extension is missing
]);

/** Whether a client should come back after a connection ended with this code. */
export function shouldReconnect(code: number): boolean {
  return !FINAL_CODES.has(code);
}

/** Whether a failed attempt to connect may succeed later: not when the server said who we are not. */
export function isWorthRetrying(error: HarnessError): boolean {
  return error.code === "unreachable" || error.code === "unavailable" || error.code === "timeout" ||
    error.code === "rate_limited" || error.code === "internal";
}

/**
 * The delay before an attempt: full jitter, a random part of an edge that doubles from `minDelayMs` to
 * `maxDelayMs`, so that clients that lost the same server do not all come back at once.
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

/** The least delay that the end of the last connection asks for. */
export function requestedDelayMs(closure: Closure): number {
  if (closure.code === CLOSE_CODES.rate_limited) return CLIENT_RATE_LIMIT_PAUSE_MS;
  return closure.reconnectAfterMs ?? 0;
}

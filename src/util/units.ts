/**
 * Durations and sizes as people write them, and whether something is over a size.
 *
 * @module
 */

const DURATION_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const SIZE_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/**
 * Milliseconds of a duration such as `500ms`, `10s`, `1.5m` or `2h`, or `null` for any other text.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseDuration } from "./units.ts";
 *
 * assert.equal(parseDuration("1.5s"), 1500);
 * assert.equal(parseDuration("10"), null);
 * ```
 */
export function parseDuration(text: string): number | null {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * (DURATION_MS[unit] ?? NaN));
  return Number.isSafeInteger(ms) ? ms : null;
}

/**
 * Bytes of a size such as `512`, `64KiB` or `2 GiB`, or `null` for any other text.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseSize } from "./units.ts";
 *
 * assert.equal(parseSize("64KiB"), 65_536);
 * assert.equal(parseSize("64KB"), null);
 * ```
 */
export function parseSize(text: string): number | null {
  const [, number, unit = ""] = /^(\d+)\s*(|B|KiB|MiB|GiB)$/.exec(text) ?? [];
  const bytes = Number(number) * (SIZE_BYTES[unit] ?? NaN);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** Formats milliseconds as {@linkcode parseDuration} reads them. */
export function formatDuration(ms: number): string {
  for (const unit of ["h", "m", "s"] as const) {
    const unitMs = DURATION_MS[unit] ?? 1;
    if (ms >= unitMs && ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  }
  return `${ms}ms`;
}

/** Formats bytes as {@linkcode parseSize} reads them where that is exact, else with one decimal. */
export function formatSize(bytes: number): string {
  for (const unit of ["GiB", "MiB", "KiB"] as const) {
    const factor = SIZE_BYTES[unit] ?? 1;
    if (bytes >= factor) {
      return `${bytes % factor === 0 ? bytes / factor : (bytes / factor).toFixed(1)}${unit}`;
    }
  }
  return `${bytes}B`;
}

/**
 * Formats how long ago something was, in its largest unit: `42s`, `3m`, `2h`, `5d` or `2y`.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * import { formatAge } from "./units.ts";
 *
 * assert.equal(formatAge(3 * 60_000 + 59_000), "3m");
 * assert.equal(formatAge(-5), "0s");
 * ```
 */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  const days = Math.floor(seconds / 86_400);
  return days < 730 ? `${days}d` : `${Math.floor(days / 365)}y`;
}

/** Formats how long something took: `4s`, `1m04s`, `2h05m`. */
export function formatElapsed(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const two = (value: number) => `${value}`.padStart(2, "0");
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${two(seconds % 60)}s`;
  return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`;
}

/** Whether a message has more bytes than that; a text is encoded only where its length does not decide. */
export function isLarger(message: string | Uint8Array | ArrayBuffer, maxBytes: number): boolean {
  if (typeof message !== "string") return message.byteLength > maxBytes;
  if (message.length > maxBytes) return true;
  return message.length * 3 > maxBytes && new TextEncoder().encode(message).length > maxBytes;
}

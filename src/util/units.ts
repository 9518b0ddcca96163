/**
 * Durations and sizes as people write them.
 *
 * @module
 */

const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const SIZE_BYTES = {
  "": 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
} as const;

/** What {@linkcode parseDuration} reads. */
export const DURATION: RegExp = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/;
const SIZE = /^(\d{1,15}(?:\.\d{1,3})?) ?(B|KB|MB|GB|KiB|MiB|GiB)?$/;

/**
 * Milliseconds of a duration such as `500ms`, `10s`, `1.5m` or `2h`, or `null` when it is none.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(parseDuration("1.5s"), 1500);
 * assert.equal(parseDuration("10"), null);
 * ```
 */
export function parseDuration(text: string): number | null {
  const [, number, unit] = DURATION.exec(text) ?? [];
  if (number === undefined) return null;
  return Math.round(Number(number) * DURATION_MS[unit as keyof typeof DURATION_MS]);
}

/**
 * Bytes of a size such as `512`, `64KiB` or `1.5 GB`, or `null` when it is none.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(parseSize("64KiB"), 65536);
 * assert.equal(parseSize("1.5MB"), 1_500_000);
 * ```
 */
export function parseSize(text: string): number | null {
  const [, number, unit = ""] = SIZE.exec(text) ?? [];
  if (number === undefined) return null;
  const bytes = Math.round(Number(number) * SIZE_BYTES[unit as keyof typeof SIZE_BYTES]);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

import assert from "node:assert/strict";
import { formatDuration, formatSize, parseDuration, parseSize } from "../../src/util/units.ts";

Deno.test("parseDuration: ms, s, m and h, null for anything else", () => {
  const cases = { "500ms": 500, "10s": 10_000, "2m": 120_000, "1 h": 3_600_000, "1.5s": 1500 };
  for (const [text, ms] of Object.entries(cases)) assert.equal(parseDuration(text), ms, text);
  for (const text of ["", "10", "s", "-1s", "1d", "1e3s", "10S", "1s ", "0x1s", "1.s"]) {
    assert.equal(parseDuration(text), null, text);
  }
  assert.equal(parseDuration(`${"9".repeat(20)}h`), null);
});

Deno.test("parseSize: bytes and binary units, null for anything else", () => {
  const cases = { "512": 512, "1B": 1, "64KiB": 65_536, "2 MiB": 2_097_152, "1GiB": 2 ** 30 };
  for (const [text, bytes] of Object.entries(cases)) assert.equal(parseSize(text), bytes, text);
  for (const text of ["", "KiB", "-1", "1 kib", "1KB", "1e9", "1.5MiB", "999999999999999GiB"]) {
    assert.equal(parseSize(text), null, text);
  }
});

Deno.test("formatDuration, formatSize: read back as the same value", () => {
  for (const ms of [1, 999, 1000, 1500, 60_000, 90_000, 3_600_000]) {
    assert.equal(parseDuration(formatDuration(ms)), ms);
  }
  for (const bytes of [1, 512, 1024, 256 * 1024, 1024 ** 2, 2 * 1024 ** 3]) {
    assert.equal(parseSize(formatSize(bytes)), bytes);
  }
  assert.equal(formatSize(1500), "1.5KiB");
});

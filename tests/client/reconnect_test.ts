import assert from "node:assert/strict";
import fc from "fast-check";
import { HarnessError } from "../../src/errors.ts";
import {
  backoffDelayMs,
  isWorthRetrying,
  requestedDelayMs,
  shouldReconnect,
} from "../../src/client/backoff.ts";
import { SEED } from "../helpers/seed.ts";

Deno.test("backoffDelayMs: doubles its bound from 0.5 s to 20 s", () => {
  const edges = Array.from({ length: 9 }, (_, attempt) => backoffDelayMs(attempt, {}, () => 1));
  assert.deepEqual(edges, [500, 1000, 2000, 4000, 8000, 16000, 20000, 20000, 20000]);
  assert.equal(backoffDelayMs(5, {}, () => 0), 0, "full jitter begins at nothing");
});

Deno.test("backoffDelayMs: never leaves its bounds", () => {
  fc.assert(
    fc.property(
      fc.nat(100_000),
      fc.integer({ min: 1, max: 1e6 }),
      fc.integer({ min: 1, max: 1e6 }),
      fc.double({ min: 0, max: 0.999999, noNaN: true }),
      (attempt, minDelayMs, maxDelayMs, random) => {
        const delay = backoffDelayMs(attempt, { minDelayMs, maxDelayMs }, () => random);
        assert(delay >= 0 && delay <= Math.max(minDelayMs, maxDelayMs));
      },
    ),
    { seed: SEED },
  );
});

Deno.test("shouldReconnect: follows the protocol's close codes", () => {
  for (const code of [1000, 1001, 1005, 1006, 1009, 1011, 1012, 1013, 4408, 4429]) {
    assert(shouldReconnect(code), String(code));
  }
  for (const code of [1002, 1003, 1007, 1008, 1010, 4400]) {
    assert(!shouldReconnect(code), String(code));
  }
});

Deno.test("requestedDelayMs: server_draining and rate limits", () => {
  assert.equal(requestedDelayMs({ code: 1006, reason: "" }), 0);
  assert.equal(requestedDelayMs({ code: 1001, reason: "", reconnectAfterMs: 1500 }), 1500);
  assert(requestedDelayMs({ code: 4429, reason: "" }) >= 1000);
});

Deno.test("isWorthRetrying: not after a final refusal", () => {
  for (const code of ["unauthorized", "forbidden", "invalid_request", "invalid_params"] as const) {
    assert(!isWorthRetrying(new HarnessError(code, "")), code);
  }
  for (const code of ["unreachable", "unavailable", "timeout", "rate_limited"] as const) {
    assert(isWorthRetrying(new HarnessError(code, "")), code);
  }
});

import assert from "node:assert/strict";
import { resultWithin, settleWithin, sleep, untilAborted } from "../../src/util/async.ts";

const NEVER = new Promise<never>(() => {});
const HOUR_MS = 3_600_000;

Deno.test("sleep: true when it elapsed, false when aborted", async () => {
  assert.equal(await sleep(0), true);
  assert.equal(await sleep(0, new AbortController().signal), true);
  assert.equal(await sleep(HOUR_MS, AbortSignal.abort()), false);
  const stop = new AbortController();
  const sleeping = sleep(HOUR_MS, stop.signal);
  stop.abort();
  assert.equal(await sleeping, false);
});

Deno.test("resultWithin: the result, its failure, or null when late", async () => {
  assert.equal(await resultWithin(Promise.resolve(1), HOUR_MS), 1);
  await assert.rejects(resultWithin(Promise.reject(new Error("no")), HOUR_MS), /no/);
  assert.equal(await resultWithin(NEVER, 0), null);
});

Deno.test("settleWithin: resolves whatever happens", async () => {
  await settleWithin(Promise.resolve(), HOUR_MS);
  await settleWithin(Promise.reject(new Error("no")), HOUR_MS);
  await settleWithin(NEVER, 0);
});

Deno.test("untilAborted: the result, or the signal's reason", async () => {
  const stop = new AbortController();
  assert.equal(await untilAborted(Promise.resolve(1), stop.signal), 1);
  await assert.rejects(untilAborted(Promise.reject(new Error("no")), stop.signal), /no/);
  const waiting = untilAborted(NEVER, stop.signal);
  stop.abort(new Error("stopped"));
  await assert.rejects(waiting, /stopped/);
  await assert.rejects(untilAborted(NEVER, stop.signal), /stopped/);
});

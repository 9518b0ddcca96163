import assert from "node:assert/strict";
import { Mutex, Semaphore } from "../../src/util/mutex.ts";

Deno.test("Semaphore: so many at once, in the order of the calls", async () => {
  const slots = new Semaphore(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const runs = [0, 1, 2, 3].map((n) =>
    slots.runExclusive(async () => {
      begun.push(n);
      await new Promise<void>((resolve) => ends[n] = resolve);
      return n;
    })
  );
  assert.deepEqual(begun, [0, 1]);
  assert.ok(slots.isLocked());
  ends[1]?.();
  assert.equal(await runs[1], 1);
  assert.deepEqual(begun, [0, 1, 2]);
  ends[0]?.();
  await runs[0];
  ends[2]?.();
  ends[3]?.();
  assert.deepEqual(await Promise.all(runs), [0, 1, 2, 3]);
  assert.ok(!slots.isLocked());
});

Deno.test("Mutex: is free again after a task that fails", async () => {
  const mutex = new Mutex();
  const failed = mutex.runExclusive(() => Promise.reject(new Error("no")));
  const next = mutex.runExclusive(() => 1);
  assert.ok(mutex.isLocked());
  await assert.rejects(failed, /no/);
  assert.equal(await next, 1);
  assert.ok(!mutex.isLocked());
});

/** A package that is checked while it is sent: the server gets it no faster than it is checked. */
import assert from "node:assert/strict";
import { beginCheck } from "../../src/cli/commands/package/file.ts";
import { heldBack } from "../../src/cli/session/held_back.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const MIB = 1024 * 1024;

/** Chunks of 1 MiB, and how many were taken. */
function source(count: number): { stream: ReadableStream<Uint8Array>; taken: () => number } {
  let taken = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (taken++ === count) controller.close();
      else controller.enqueue(new Uint8Array(MIB));
    },
  }, { highWaterMark: 0 });
  return { stream, taken: () => taken };
}

Deno.test("upload: is ahead of its check by some MiB at most", async () => {
  let checked = 0;
  const waits: Array<() => void> = [];
  const summary = Promise.withResolvers<never>();
  const { stream, taken } = source(40);
  const sent = heldBack(stream, {
    summary: summary.promise,
    async reached(bytes) {
      while (checked < bytes) await new Promise<void>((resolve) => waits.push(resolve));
    },
  });
  let received = 0;
  const reading = (async () => {
    for await (const chunk of sent) received += chunk.length;
  })();
  reading.catch(() => {});
  for (const upTo of [0, 10 * MIB, 20 * MIB]) {
    checked = upTo;
    for (const wake of waits.splice(0)) wake();
    while (waits.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(received, upTo + 8 * MIB);
    assert.ok(taken() <= upTo / MIB + 10);
  }
  checked = Infinity;
  summary.reject(new Error("bad package"));
  for (const wake of waits.splice(0)) wake();
  await assert.rejects(reading, /bad package/);
  assert.ok(received < 40 * MIB);
});

Deno.test("beginCheck: what waits for it ends with it", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/web-1.0.0.tar.gz`;
  const file = await Deno.open(path, { create: true, write: true });
  await file.write(new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]));
  await file.truncate(20 * MIB);
  file.close();
  const check = await beginCheck(path, new AbortController().signal);
  await check.reached(19 * MIB);
  await check.reached(30 * MIB);
  await assert.rejects(check.summary);
});

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import {
  type InspectedBytes,
  onlyInspected,
  PrefixHash,
} from "../../src/package/prefix_digests.ts";

const MIB = 1024 * 1024;

function bytesOf(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = at * 7 + (at >> 11);
  return bytes;
}

function inspected(bytes: Uint8Array, chunk: number): InspectedBytes {
  const hash = new PrefixHash();
  for (let at = 0; at < bytes.length; at += chunk) hash.update(bytes.subarray(at, at + chunk));
  return hash.finish();
}

function streamOf(bytes: Uint8Array, chunk: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at + chunk));
      at += chunk;
    },
  });
}

/** What was passed on, and whether it failed. */
async function passedOn(stream: ReadableStream<Uint8Array>): Promise<[Buffer, boolean]> {
  const passed: Uint8Array[] = [];
  try {
    for await (const chunk of stream) passed.push(chunk);
  } catch (error) {
    assert.match(String(error), /changed!/);
    return [Buffer.concat(passed), true];
  }
  return [Buffer.concat(passed), false];
}

const changed = () => new Error("changed!");

Deno.test("PrefixHash: the chunks make no difference", () => {
  for (const length of [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 5]) {
    const bytes = bytesOf(length);
    const known = inspected(bytes, 64 * 1024);
    assert.equal(known.sha256, createHash("sha256").update(bytes).digest("hex"));
    assert.equal(known.size, length);
    assert.equal(known.prefixes.length, Math.floor(length / MIB) * 32);
    for (const chunk of [99_991, MIB, 5 * MIB]) assert.deepEqual(inspected(bytes, chunk), known);
  }
});

Deno.test("onlyInspected: passes on what was inspected", async () => {
  for (const length of [0, 1, MIB, 2 * MIB + 77]) {
    const bytes = bytesOf(length);
    for (const chunk of [50_000, 3 * MIB]) {
      const stream = onlyInspected(streamOf(bytes, chunk), inspected(bytes, MIB), changed);
      const [passed, failed] = await passedOn(stream);
      assert.equal(failed, false);
      assert(passed.equals(bytes), `${length} by ${chunk}`);
    }
  }
});

Deno.test("onlyInspected: passes on no other byte", async () => {
  const bytes = bytesOf(3 * MIB + 500);
  const known = inspected(bytes, MIB);
  const others: Uint8Array[] = [];
  for (const at of [0, MIB - 1, MIB, 2 * MIB + 3, bytes.length - 1]) {
    const other = bytes.slice();
    other[at] = (other[at] ?? 0) ^ 1;
    others.push(other);
  }
  others.push(bytes.subarray(0, MIB), bytes.subarray(0, -1), Buffer.concat([bytes, bytes]));
  for (const other of others) {
    const [passed, failed] = await passedOn(onlyInspected(streamOf(other, 70_000), known, changed));
    assert.equal(failed, true);
    assert(passed.equals(bytes.subarray(0, passed.length)));
  }
});

Deno.test("onlyInspected: its cancel closes the source", async () => {
  let closed = false;
  const source = new ReadableStream<Uint8Array>({ cancel: () => void (closed = true) });
  await onlyInspected(source, inspected(bytesOf(5), 5), changed).cancel();
  assert(closed);
});

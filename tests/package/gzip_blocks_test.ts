import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { DeflatePool } from "../../src/package/deflate/deflate_pool.ts";
import { gzipBlocks } from "../../src/package/deflate/gzip_blocks.ts";
import { mixedBytes } from "./sample_tree.ts";

async function gzip(bytes: Uint8Array, { piece = 65_536, about = bytes.length } = {}) {
  const chunks = async function* () {
    for (let at = 0; at < bytes.length; at += piece) {
      yield await Promise.resolve(bytes.subarray(at, at + piece));
    }
  };
  await using pool = new DeflatePool({ about });
  const packed = await Array.fromAsync(gzipBlocks(chunks(), pool));
  return new Uint8Array(await new Blob(packed as BlobPart[]).arrayBuffer());
}

Deno.test("gzipBlocks: gunzip gives the bytes back, of any length", async () => {
  const bytes = mixedBytes(2 * 1024 * 1024 + 1);
  for (const length of [0, 1, 5, 300, 1024 * 1024 - 1, 1024 * 1024, bytes.length]) {
    const packed = await gzip(bytes.subarray(0, length));
    assert.ok(gunzipSync(packed).equals(bytes.subarray(0, length)), `${length} bytes`);
  }
});

Deno.test("gzipBlocks: chunks and threads do not change the bytes", async () => {
  const bytes = mixedBytes(9_000_000);
  const here = await gzip(bytes, { about: 0 });
  assert.ok(gunzipSync(here).equals(bytes));
  assert.deepEqual(await gzip(bytes, { piece: 1_234_567 }), here);
  // Packages that are compared by their digest: another value here means other packages for everyone.
  assert.equal(
    createHash("sha256").update(here).digest("hex"),
    "7d74fa991689597299f9725214b9368a7bfda08acf98f8532749e052b5f24589",
  );
});

Deno.test("gzipBlocks: threads that fail do not change the bytes", async () => {
  const bytes = mixedBytes(9_000_000);
  const here = await gzip(bytes, { about: 0 });
  const { postMessage } = Worker.prototype;
  let sent = 0;
  // Each thread ends at its second block, as one without memory does.
  const failing = new Set<Worker>();
  Worker.prototype.postMessage = function (this: Worker, ...args: [unknown]) {
    sent++;
    if (failing.has(this)) {
      queueMicrotask(() => this.emit("error", new Error("out of memory")));
      return;
    }
    failing.add(this);
    postMessage.apply(this, args);
  } as typeof postMessage;
  try {
    assert.deepEqual(await gzip(bytes, { about: bytes.length }), here);
  } finally {
    Worker.prototype.postMessage = postMessage;
  }
  assert(sent >= 2 && sent < 9, `${sent} blocks were given to threads`);
});

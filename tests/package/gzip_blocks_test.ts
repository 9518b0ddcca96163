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

const PACK = `
import { DeflatePool } from "./src/package/deflate/deflate_pool.ts";
import { gzipBlocks } from "./src/package/deflate/gzip_blocks.ts";
async function* chunks() {
  for (let i = 0; i < 9; i++) yield new Uint8Array(1_000_000);
}
for (const about of [0, 9_000_000]) {
  await using pool = new DeflatePool({ about });
  const packed = Array.fromAsync(gzipBlocks(chunks(), pool));
  console.log(await packed.then(() => "packed", ({ code, message }) => code + ": " + message));
}
`;

/** Packs without threads and with them, in a process of its own with a flag of V8; gives what it prints. */
async function packWith(flag: string): Promise<string> {
  const args = ["eval", `--v8-flags=${flag}`, PACK];
  const cwd = new URL("../../", import.meta.url);
  const done = await new Deno.Command(Deno.execPath(), { args, cwd }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  // It lives on after an error in a thread: that is none which nobody catches.
  assert.equal(done.code, 0, text(done.stderr));
  return text(done.stdout);
}

Deno.test("gzipBlocks: needs no instructions for vectors", async () => {
  assert.equal(await packWith("--no-enable-sse4-1"), "packed\n".repeat(2));
});

Deno.test("gzipBlocks: a runtime without WebAssembly is an error", async () => {
  const message = "unavailable: Cannot compress the package: WebAssembly is turned off here; " +
    "start the runtime without options such as --jitless\n";
  assert.equal(await packWith("--jitless"), message.repeat(2));
});

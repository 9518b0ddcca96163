import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { ChunkQueue } from "../../src/server/packages/chunk_queue.ts";
import { PackageStore } from "../../src/server/packages/package_store.ts";
import { buildHello } from "../helpers/hello_package.ts";
import { refusal } from "../helpers/rejects.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const FILE = "hello-service-1.0.0.tar.gz";

/** A store and the bytes of a package that it does not have yet. */
async function setUp(dir: string): Promise<{ store: PackageStore; bytes: Uint8Array }> {
  const { path } = await buildHello(dir, { version: "1.0.0", port: 8080 });
  const store = await PackageStore.open(`${dir}/packages`);
  return { store, bytes: await Deno.readFile(path) };
}

function streamOf(...chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(chunks);
}

Deno.test("put: stores a package that comes byte by byte", async () => {
  await using dir = await tempDir();
  const { store, bytes } = await setUp(dir.path);
  const pieces = Array.from(bytes, (byte) => Uint8Array.of(byte));
  const info = await store.put(FILE, streamOf(...pieces));
  assert.equal(info.size, bytes.length);
  assert.deepEqual(await store.list(), [info]);
  assert.deepEqual(await Deno.readFile(`${dir.path}/packages/${FILE}`), bytes);
});

Deno.test("put: names the digest of a damaged transfer, not its gzip", async () => {
  await using dir = await tempDir();
  const { store, bytes } = await setUp(dir.path);
  const damaged = bytes.with(100, bytes[100] === 0 ? 1 : 0);
  const sha256 = "0".repeat(64);
  const error = await refusal(
    "package_invalid",
    () => store.put(FILE, streamOf(damaged), { sha256 }),
  );
  assert.match(error.message, /send it again/);
  assert.deepEqual(await readdir(`${dir.path}/packages`), []);
});

Deno.test("put: refuses what follows a package in pieces of its own", async () => {
  await using dir = await tempDir();
  const { store, bytes } = await setUp(dir.path);
  const tails = [[Uint8Array.of(0)], [Uint8Array.of(1), bytes], [gzipSync("more")]];
  for (const tail of tails) {
    const error = await refusal("package_invalid", () => store.put(FILE, streamOf(bytes, ...tail)));
    assert.equal(error.details?.["reason"], "trailing_data", error.message);
  }
  assert.deepEqual(await readdir(`${dir.path}/packages`), []);
});

Deno.test("put: leaves nothing of an upload that fails in the middle", async () => {
  await using dir = await tempDir();
  const { store, bytes } = await setUp(dir.path);
  const body = ReadableStream.from((async function* () {
    yield await Promise.resolve(bytes.slice(0, 1000));
    throw new Error("gone");
  })());
  await refusal("cancelled", () => store.put(FILE, body));
  assert.deepEqual(await readdir(`${dir.path}/packages`), []);
});

Deno.test("check: takes the verdict of the upload of the same file", async () => {
  await using dir = await tempDir();
  const { store, bytes } = await setUp(dir.path);
  const info = await store.put(FILE, streamOf(bytes));
  const checked = await store.check(FILE);
  assert.deepEqual([checked.sha256, checked.manifest.name], [info.sha256, "hello-service"]);
  // The same length, so that only its times tell.
  await Deno.writeFile(`${dir.path}/packages/${FILE}`, bytes.with(100, (bytes[100] ?? 0) ^ 1));
  await refusal("package_invalid", () => store.check(FILE));
  await refusal("package_invalid", () => store.resolve(FILE));
});

Deno.test("ChunkQueue: holds the writer back until there is room", async () => {
  const queue = new ChunkQueue(10);
  await queue.push(new Uint8Array(10));
  let pushed = false;
  const second = queue.push(new Uint8Array(1)).then(() => pushed = true);
  const reader = queue[Symbol.asyncIterator]();
  assert.equal(pushed, false);
  assert.equal((await reader.next()).value?.length, 10);
  await second;
  queue.end();
  assert.equal((await reader.next()).value?.length, 1);
  assert.equal((await reader.next()).done, true);
});

Deno.test("ChunkQueue: lets the writer go on without its reader", async () => {
  const queue = new ChunkQueue(1);
  const held = queue.push(new Uint8Array(2));
  for await (const _chunk of queue) break;
  await held;
  await queue.push(new Uint8Array(1000));
  const failing = new ChunkQueue(1);
  const read = Array.fromAsync(failing);
  failing.fail(new Error("no more"));
  await assert.rejects(read, /no more/);
});

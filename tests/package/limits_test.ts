/** The limits that protect a reader from a small file that becomes a large one. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { HarnessError } from "../../src/errors.ts";
import { UNPACK_RATIO_FLOOR_BYTES } from "../../src/model/limits.ts";
import { extractPackage } from "../../src/package/archive/extract.ts";
import { gunzipFile } from "../../src/package/archive/gunzip.ts";
import { inspectPackage } from "../../src/package/read.ts";
import { readTar, type TarEvent } from "../../src/package/archive/tar_reader.ts";
import { bomb, bombEntries } from "./hostile_archives.ts";
import { entryBlocks, pax, soundEntries, tar } from "./tar_writer.ts";
import { tooMany, withFile } from "./limits_fixture.ts";

const isBomb = { code: "package_invalid", details: { reason: "gzip_bomb" } };

Deno.test("inspectPackage: stops at a bomb of 10 GB in 10 MB", async () => {
  const bytes = bomb(bombEntries());
  assert(bytes.byteLength < 10 * 1024 * 1024);
  await withFile(bytes, async (path, dir) => {
    await assert.rejects(inspectPackage(path), isBomb);
    await assert.rejects(extractPackage(path, join(dir, "target")), isBomb);
  });
});

Deno.test("inspectPackage: stops at 10 GB of trailing zeros", async () => {
  await withFile(bomb(tar(soundEntries())), async (path) => {
    await assert.rejects(inspectPackage(path), isBomb);
  });
});

Deno.test("gunzipFile: stops early at a bomb", async () => {
  await withFile(bomb(Buffer.alloc(0)), async (path) => {
    let unpacked = 0;
    const unpack = async () => {
      for await (const chunk of gunzipFile(path)) unpacked += chunk.byteLength;
    };
    await assert.rejects(unpack(), isBomb);
    assert(unpacked < 2 * UNPACK_RATIO_FLOOR_BYTES, `${unpacked} bytes`);
  });
});

Deno.test("gunzipFile: closes the file when its reader stops early", async () => {
  await withFile(gzipSync(Buffer.alloc(8 * 1024 * 1024)), async (path) => {
    // The resource sanitizer fails this test when the file stays open.
    for await (const _chunk of gunzipFile(path)) break;
  });
});

Deno.test("inspectPackage: stops at many directories and links", async () => {
  const deep = Array.from(
    { length: 300 },
    (_, i) => [pax({ path: `${i}${"/d".repeat(400)}` }), { name: "x" }].map(entryBlocks),
  );
  const far = `${"a/../".repeat(200)}0`;
  const links = Array.from({ length: 5000 }, (_, i) =>
    [
      pax({ linkpath: i % 30 === 0 ? "a" : `${far.slice(0, -1)}${i - 1}` }),
      { name: `${i}`, flag: "2", link: "x" },
    ].map(entryBlocks));
  for (const entries of [deep.flat(), [entryBlocks({ name: "a/", flag: "5" }), ...links.flat()]]) {
    const bytes = gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]), { level: 1 });
    await withFile(bytes, async (path) => {
      await assert.rejects(inspectPackage(path), tooMany);
    });
  }
});

Deno.test("extractPackage: cleans up when aborted", async () => {
  const bytes = gzipSync(tar(soundEntries({ "bin/data": "x".repeat(1_000_000) })));
  await withFile(bytes, async (path, dir) => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const options = { signal: stop.signal, onProgress: () => stop.abort(reason) };
    await assert.rejects(extractPackage(path, join(dir, "target"), options), reason);
    await assert.rejects(inspectPackage(path, { signal: stop.signal }), reason);
  });
});

Deno.test("inspectPackage: notices damage that changes anything", async () => {
  const sound = gzipSync(tar(soundEntries({ "bin/data": "0123456789".repeat(150) })));
  const dir = await Deno.makeTempDir({ prefix: "harness-damage-" });
  try {
    const path = join(dir, "p.tar.gz");
    await Deno.writeFile(path, sound);
    const whole = await inspectPackage(path);
    const check = async (bytes: Uint8Array, what: string) => {
      await Deno.writeFile(path, bytes);
      const found = await inspectPackage(path).catch((error) => error);
      if (found instanceof Error) {
        assert.equal((found as HarnessError).code, "package_invalid", `${what}: ${found.message}`);
      } else {
        // Bytes of the gzip header that mean nothing: its time, system and flags of compression.
        assert.deepEqual(found, { ...whole, sha256: found.sha256 }, what);
      }
      return !(found instanceof Error);
    };
    let accepted = 0;
    for (let bit = 0; bit < sound.length * 8; bit += 5) {
      const bytes = Uint8Array.from(sound);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (await check(bytes, `bit ${bit}`)) accepted++;
    }
    assert(accepted <= 16, `${accepted} damaged packages were accepted`);
    for (let length = 0; length < sound.length; length += 3) {
      assert.equal(await check(sound.subarray(0, length), `length ${length}`), false);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("readTar: same events however the bytes are cut", async () => {
  const bytes = tar(soundEntries({ "bin/data": "0123456789".repeat(150) }));
  const events = async (step: number) => {
    const cut = async function* () {
      for (let at = 0; at < bytes.length; at += step) {
        yield await Promise.resolve(bytes.subarray(at, at + step));
      }
    };
    const entries: Array<TarEvent & { body?: string }> = [];
    let body = "";
    for await (const event of readTar(cut())) {
      if (event.kind === "data") body += new TextDecoder().decode(event.chunk);
      else if (event.kind === "entry") entries.push(event);
      else {
        Object.assign(entries.at(-1) ?? {}, { body });
        body = "";
      }
    }
    return entries;
  };
  const whole = await events(bytes.length);
  assert.equal(whole.length, 4);
  assert.equal(whole[3]?.body?.length, 1500);
  for (const step of [1, 7, 511, 512, 513, 4096]) assert.deepEqual(await events(step), whole);
});

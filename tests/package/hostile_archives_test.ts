/**
 * Every hostile archive is given to the reader, to the extractor and to a server. All must refuse it with its reason,
 * and nothing may be left outside of the target, nor the target or a temporary directory.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { HarnessError } from "../../src/errors.ts";
import { extractPackage } from "../../src/package/archive/extract.ts";
import type { InvalidReason } from "../../src/package/errors.ts";
import { inspectPackage } from "../../src/package/read.ts";
import { PackageStore } from "../../src/server/packages/package_store.ts";
import { HOSTILE_ENTRIES, HOSTILE_FILES } from "./hostile_archives.ts";
import { entryBlocks, packageWith, soundEntries, tar } from "./tar_writer.ts";

/** Gives `bytes` to the reader and the extractor and checks what is left on the disk. */
async function assertRefused(bytes: Uint8Array, reason: InvalidReason): Promise<void> {
  const outer = await Deno.makeTempDir({ prefix: "harness-hostile-" });
  try {
    const file = join(outer, "p.tar.gz");
    await Deno.writeFile(file, bytes);
    await Deno.mkdir(join(outer, "a/b/c"), { recursive: true });
    const refused = (error: unknown) => {
      assert(error instanceof HarnessError, String(error));
      assert.equal(error.code, "package_invalid", error.message);
      assert.equal(error.details?.["reason"], reason, error.message);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(error.message, /[\0-\x09\x0b-\x1f]/);
      return true;
    };
    await assert.rejects(inspectPackage(file), refused);
    await assert.rejects(extractPackage(file, join(outer, "a/b/c/target")), refused);
    // The server checks while the bytes come in, in pieces of any size.
    const store = await PackageStore.open(join(outer, "a/b/c"));
    await assert.rejects(store.put("p-1.0.0.tar.gz", inPieces(bytes, 1000)), refused);
    assert.deepEqual(tree(outer), ["a", "a/b", "a/b/c", "p.tar.gz"]);
  } finally {
    await Deno.remove(outer, { recursive: true });
  }
}

function inPieces(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  return ReadableStream.from((function* () {
    for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
  })());
}

function tree(dir: string, prefix = ""): string[] {
  return [...Deno.readDirSync(dir)].flatMap((entry) => {
    const path = prefix + entry.name;
    return [path, ...(entry.isDirectory ? tree(join(dir, entry.name), `${path}/`) : [])];
  }).sort();
}

for (const [what, [reason, entries]] of Object.entries(HOSTILE_ENTRIES)) {
  Deno.test(`inspectPackage: ${what}: ${reason}`, async () => {
    await assertRefused(packageWith(entries), reason);
  });
}

for (const [what, [reason, make]] of Object.entries(HOSTILE_FILES)) {
  Deno.test(`inspectPackage: ${what}: ${reason}`, async () => {
    await assertRefused(make(), reason);
  });
}

/** What people pack by mistake, and what the message says of it. */
const MISTAKES: Record<string, [RegExp, () => Uint8Array]> = {
  "xz": [/is an xz file/, () => bytesOf("\xfd7zXZ\0\0\x04")],
  "zstd": [/is a zstd file/, () => bytesOf("\x28\xb5\x2f\xfd\x04")],
  "bzip2": [/is a bzip2 file/, () => bytesOf("BZh91AY&SY")],
  "zip": [/is a zip file/, () => bytesOf("PK\x03\x04")],
  "plain tar": [/is a tar file that is not compressed/, () => tar(soundEntries())],
  "a web page": [/is a web page/, () => bytesOf("<!DOCTYPE html><title>404</title>")],
  "initials": [/is not a gzip file: make it with package build/, () => bytesOf("PKCS")],
  "text": [/is not a gzip file: make it with package build/, () => bytesOf("hello")],
  "one directory": [
    /everything in it is below "web-1": pack what is in that directory/,
    () =>
      gzipSync(tar([
        { name: "web-1/", flag: "5" },
        ...soundEntries().map((entry) => ({ ...entry, name: `web-1/${String(entry.name)}` })),
      ])),
  ],
  "one directory, from macOS": [
    /everything in it is below "web-1": pack what is in that directory/,
    () =>
      gzipSync(tar([
        { name: "._web-1" },
        { name: "web-1/", flag: "5" },
        ...soundEntries().map((entry) => ({ ...entry, name: `web-1/${String(entry.name)}` })),
        { name: "__MACOSX/", flag: "5" },
        { name: "__MACOSX/._web-1" },
      ])),
  ],
  "a sparse file": [
    /"bin\/data" is a sparse file: pack it without tar's --sparse/,
    () => {
      // Where the prefix of a ustar header is, GNU tar has the sizes of the file's parts.
      const block = entryBlocks({ name: "bin/data", flag: "S", magic: "ustar  \0" });
      block.set(bytesOf("00000000000\x0000000001000\x00"), 386);
      block.set(bytesOf("        "), 148);
      const sum = block.subarray(0, 512).reduce((all, byte) => all + byte, 0);
      block.set(bytesOf(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
      return gzipSync(Buffer.concat([block, tar(soundEntries())]));
    },
  ],
};

function bytesOf(latin1: string): Uint8Array {
  return Buffer.from(latin1, "latin1");
}

for (const [what, [message, make]] of Object.entries(MISTAKES)) {
  Deno.test(`inspectPackage: says that it is ${what}`, async () => {
    const file = await Deno.makeTempFile({ prefix: "harness-mistake-", suffix: ".tar.gz" });
    try {
      await Deno.writeFile(file, make());
      await assert.rejects(inspectPackage(file), { code: "package_invalid", message });
    } finally {
      await Deno.remove(file);
    }
  });
}

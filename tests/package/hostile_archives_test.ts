/**
 * Every hostile archive is given to the reader, to the extractor and to a server. All must refuse it with its reason,
 * and nothing may be left outside of the target, nor the target or a temporary directory.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { HarnessError } from "../../src/errors.ts";
import { extractPackage } from "../../src/package/archive/extract.ts";
import type { InvalidReason } from "../../src/package/errors.ts";
import { inspectPackage } from "../../src/package/read.ts";
import { PackageStore } from "../../src/server/packages/package_store.ts";
import { HOSTILE_ENTRIES, HOSTILE_FILES } from "./hostile_archives.ts";
import { packageWith } from "./tar_writer.ts";

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

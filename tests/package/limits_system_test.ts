/** The limits that protect a reader from a small file that becomes a large one. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { MAX_PACKAGE_ENTRIES } from "../../src/model/limits.ts";
import { extractPackage } from "../../src/package/archive/extract.ts";
import { inspectPackage } from "../../src/package/read.ts";
import { millionFiles } from "./hostile_archives.ts";
import { entryBlocks } from "./tar_writer.ts";
import { tooMany, withFile } from "./limits_fixture.ts";

Deno.test("inspectPackage: stops at a million empty files", async () => {
  await withFile(millionFiles(), async (path) => {
    await assert.rejects(inspectPackage(path), tooMany);
  });
});

Deno.test("extractPackage: stops at too many entries", async () => {
  // Links are made last, so this costs the disk nothing; files take half a minute to write and remove.
  const links = Array.from(
    { length: MAX_PACKAGE_ENTRIES + 1 },
    (_, i) => entryBlocks({ name: `${i}`, flag: "2", link: "0" }),
  );
  await withFile(gzipSync(Buffer.concat(links), { level: 1 }), async (path, dir) => {
    await assert.rejects(extractPackage(path, join(dir, "target")), tooMany);
  });
});

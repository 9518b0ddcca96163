/** The limits that protect a reader from a small file that becomes a large one. */
import assert from "node:assert/strict";
import { join } from "node:path";

/** A package file of these bytes; nothing else may be left beside it. */
export async function withFile(
  bytes: Uint8Array,
  use: (path: string, dir: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "harness-limits-" });
  try {
    const path = join(dir, "p.tar.gz");
    await Deno.writeFile(path, bytes);
    await use(path, dir);
    assert.deepEqual([...Deno.readDirSync(dir)].map((entry) => entry.name), ["p.tar.gz"]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** How a package with too many entries is refused. */
export const tooMany = { code: "package_invalid", details: { reason: "too_many_entries" } };

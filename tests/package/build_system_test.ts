import assert from "node:assert/strict";
import { join } from "node:path";
import { HarnessError } from "../../src/errors.ts";
import { buildPackage } from "../../src/package/build.ts";
import { needs } from "../helpers/require.ts";
import { run, withTempDir, writeTree } from "./sample_tree.ts";

Deno.test({
  name: "buildPackage: names the file it cannot read or write",
  ignore: needs("tmpfs"),
  async fn() {
    await withTempDir(async (dir) => {
      const noise = crypto.getRandomValues(new Uint8Array(60_000));
      const text = Array.from(noise, (byte) => byte.toString(36)).join("");
      const tree = await writeTree(join(dir, "tree"), { "bin/noise": text });
      const failure = async (outDir: string): Promise<string> => {
        const error = await buildPackage(tree, { outDir }).then(() => null, (error) => error);
        assert(error instanceof HarnessError, String(error));
        assert.equal(error.code, "storage_unavailable", error.message);
        return error.message;
      };
      assert.match(
        await failure(join(tree, "manifest.yaml", "out")),
        /manifest\.yaml.*not a directory/,
      );
      const small = join(dir, "small");
      await Deno.mkdir(small);
      await run("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", small);
      try {
        assert.match(await failure(small), /small.*: no space left on the device/);
        assert.deepEqual([...Deno.readDirSync(small)], []);
      } finally {
        // Lazily: a child that another test is just starting may have our closed files for a moment more.
        await run("umount", "-l", small);
      }
    });
  },
});

/** The package of a tree has the same bytes, whichever runtime built it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { buildPackage } from "../../src/package/build.ts";
import { needs } from "../helpers/require.ts";
import { NPM_RUNTIMES, npmProject } from "../helpers/runtimes.ts";
import { mixedBytes, run, withTempDir, writeTree } from "./sample_tree.ts";

const PROGRAM = `
import { buildPackage } from "@harness/service-registry/package";
const [dir, outDir] = process.argv.slice(2);
console.log((await buildPackage(dir, { outDir })).sha256);
`;

Deno.test({
  name: "buildPackage: same tree, same bytes on each runtime",
  ignore: NPM_RUNTIMES.some(({ component }) => component !== null && needs(component)),
  async fn() {
    await withTempDir(async (dir) => {
      // Large enough for threads, and too small.
      const trees = {
        large: await writeTree(join(dir, "large"), { "lib/mixed": mixedBytes(), "lib/empty": "" }),
        small: await writeTree(join(dir, "small"), { "lib/mixed": mixedBytes(70_000) }),
      };
      await using project = await npmProject();
      const file = join(project.dir, "build.mjs");
      await Deno.writeTextFile(file, PROGRAM);
      for (const [name, tree] of Object.entries(trees)) {
        const { sha256 } = await buildPackage(tree, { outDir: join(dir, `${name} Deno`) });
        for (const runtime of NPM_RUNTIMES) {
          const [program, ...args] = await runtime.command(file);
          const outDir = join(dir, `${name} ${runtime.name}`);
          const built = await run(program, ...args, tree, outDir);
          assert.equal(built.trim(), sha256, `${name} on ${runtime.name}`);
        }
      }
    });
  },
});

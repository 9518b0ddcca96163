/** The same files from Node and Bun: the library's storage is not bound to one runtime. */
import assert from "node:assert/strict";
import { Documents } from "../../src/storage/documents.ts";
import { needs } from "../helpers/require.ts";
import { withRegistry, withTempDir } from "./recording.ts";

const CHILD = new URL("./node_child.ts", import.meta.url).pathname;

async function output(command: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  assert.ok(success, `${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

for (const runtime of ["node", "bun"] as const) {
  Deno.test(`FileStore and Documents work on ${runtime}, and Deno goes on with what it wrote`, {
    ignore: needs(runtime),
  }, async () => {
    await withTempDir(async (dir) => {
      const bundle = `${dir}/child.mjs`;
      await output(Deno.execPath(), ["bundle", "--quiet", "--output", bundle, CHILD]);
      const state = `${dir}/state`;
      const first = JSON.parse(await output(runtime, [bundle, state]));
      assert.deepEqual(first, { seq: 2, epoch: first.epoch, warnings: [], second: "conflict" });
      const again = JSON.parse(await output(runtime, [bundle, state]));
      assert.equal(again.epoch, first.epoch);
      assert.ok(again.seq > first.seq);
      await withRegistry({ dir: state, strict: true }, (registry) => {
        assert.equal(registry.epoch, first.epoch);
        assert.equal(registry.seq, again.seq);
        assert.deepEqual(registry.warnings, []);
      });
      assert.deepEqual(await new Documents({ dir: state }).list("notes"), [
        { id: "n-1", value: { from: "child" } },
      ]);
    });
  });
}

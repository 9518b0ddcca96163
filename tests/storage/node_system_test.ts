/** The same files from Node and Bun: the library's storage is not bound to one runtime. */
import assert from "node:assert/strict";
import { Documents } from "../../src/storage/documents.ts";
import { LineProcess } from "../helpers/lines.ts";
import { refusal } from "../helpers/rejects.ts";
import { needs } from "../helpers/require.ts";
import { NPM_RUNTIMES, type Runtime } from "../helpers/runtimes.ts";
import { withRegistry, withTempDir } from "./recording.ts";

const CHILD = new URL("./node_child.ts", import.meta.url).pathname;

async function output(command: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  assert.ok(success, `${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Bundles the child and returns what runs it: program, arguments, and last the state dir. */
async function childOf(runtime: Runtime, dir: string): Promise<[string, string[]]> {
  const bundle = `${dir}/child.mjs`;
  await output(Deno.execPath(), ["bundle", "--quiet", "--output", bundle, CHILD]);
  const [program, ...args] = await runtime.command(bundle);
  return [program, [...args, `${dir}/state`]];
}

for (const runtime of NPM_RUNTIMES) {
  const ignore = runtime.component !== null && needs(runtime.component);

  Deno.test(`FileStore: ${runtime.name} and Deno share its files`, { ignore }, async () => {
    await withTempDir(async (dir) => {
      const [program, args] = await childOf(runtime, dir);
      const first = JSON.parse(await output(program, args));
      assert.deepEqual(first, { seq: 2, epoch: first.epoch, warnings: [], second: "conflict" });
      const again = JSON.parse(await output(program, args));
      assert.equal(again.epoch, first.epoch);
      assert.ok(again.seq > first.seq);
      await withRegistry({ dir: `${dir}/state`, strict: true }, (registry) => {
        assert.equal(registry.epoch, first.epoch);
        assert.equal(registry.seq, again.seq);
        assert.deepEqual(registry.warnings, []);
      });
      assert.deepEqual(await new Documents({ dir: `${dir}/state` }).list("notes"), [
        { id: "n-1", value: { from: "child" } },
      ]);
    });
  });

  Deno.test(`FileStore: one owner among ${runtime.name} and Deno`, { ignore }, async () => {
    await withTempDir(async (dir) => {
      const [program, args] = await childOf(runtime, dir);
      const state = `${dir}/state`;
      {
        await using holder = new LineProcess(program, [...args, "hold"]);
        const { pid } = JSON.parse(await holder.line());
        assert.deepEqual(JSON.parse(await output(program, args)), { code: "conflict", pid });
        const refused = await refusal("conflict", () => withRegistry({ dir: state }, () => {}));
        assert.equal(refused.details?.["pid"], pid);
        // Ends by SIGKILL at the end of this block.
      }
      await withRegistry({ dir: state }, async () => {
        const refused = JSON.parse(await output(program, args));
        assert.deepEqual(refused, { code: "conflict", pid: Deno.pid });
      });
      assert.equal(JSON.parse(await output(program, args)).second, "conflict");
    });
  });
}

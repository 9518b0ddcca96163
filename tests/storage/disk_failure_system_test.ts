/** A disk that fails at one operation after another: refused, reads go on, nothing lost, and it recovers. */
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { needs } from "../helpers/require.ts";
import { assertState, History, withRegistry, withTempDir } from "./recording.ts";
import { eventually } from "../helpers/raw_client.ts";

Deno.test("FileStore: recovers from a real full disk", {
  ignore: needs("root", "tmpfs"),
}, async () => {
  await withTempDir(async (dir) => {
    const mount = async (command: string, ...args: string[]) => {
      const { success } = await new Deno.Command(command, { args }).output();
      assert.ok(success, `${command} ${args.join(" ")}`);
    };
    await mount("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", dir);
    try {
      const history = new History();
      await withRegistry({ dir, tuning: { retryMs: 10, snapshotDelayMs: 0 } }, async (registry) => {
        await registry.register(serviceInput("web"));
        await Deno.writeFile(`${dir}/ballast`, new Uint8Array(64 * 1024));
        let refused: unknown = null;
        for (let i = 0; refused === null && i < 2_000; i++) {
          await registry.update("web", { version: `${i}` }).catch((error) => refused = error);
        }
        assert.ok(refused instanceof HarnessError && refused.code === "storage_unavailable");
        assert.match(registry.problem ?? "", /no space/);
        const { version } = registry.get("web");
        await Deno.remove(`${dir}/ballast`);
        await eventually(() => registry.problem === null, "recovery");
        assert.equal(registry.get("web").version, version, "nothing acknowledged is lost");
        await registry.update("web", { version: "after" });
      }, history);
      await withRegistry({ dir }, (registry) => {
        assertState(registry, history, "reopened");
        assert.equal(registry.get("web").version, "after");
      });
    } finally {
      // Lazily: a child that another test is just starting may have our closed files for a moment more.
      await mount("umount", "-l", dir);
    }
  });
});

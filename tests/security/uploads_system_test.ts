import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { PackageStore } from "../../src/server/packages/package_store.ts";
import { eventually } from "../helpers/raw_client.ts";
import { needs } from "../helpers/require.ts";
import { LISTENERS, startServer } from "../helpers/test_server.ts";

const FILE = "hello-1.0.0.tar.gz";

async function errorOf(response: Response): Promise<[status: number, code: string]> {
  const { error } = await response.json();
  return [response.status, error.code];
}

for (const listener of LISTENERS) {
  Deno.test({
    name: `${listener} listener: survives a full disk during an upload`,
    ignore: needs("root", "tmpfs"),
    async fn() {
      const dir = await Deno.makeTempDir({ prefix: "harness-full-" });
      const run = (command: string, ...args: string[]) =>
        new Deno.Command(command, { args }).outputSync();
      assert.ok(run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", dir).success);
      try {
        const packages = await PackageStore.open(dir, { inspect: null });
        await using running = await startServer({ listener, packages });
        const url = `${running.http}/packages/${FILE}`;
        const chunk = new Uint8Array(64 * 1024);
        let left = 64;
        const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
          pull: (controller) => left-- > 0 ? controller.enqueue(chunk) : controller.close(),
        });
        const outcome = await fetch(url, { method: "PUT", body }).then(errorOf).catch(() => null);
        // The answer may be lost when the client is still sending.
        if (outcome !== null) assert.deepEqual(outcome, [507, "storage_unavailable"]);
        await eventually(async () => (await readdir(dir)).length === 0, "the part file is gone");
        const next = await fetch(url, { method: "PUT", body: "small" });
        assert.equal((await next.json()).size, 5);
      } finally {
        run("umount", "-l", dir);
        await Deno.remove(dir);
      }
    },
  });
}

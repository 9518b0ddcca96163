/** The example service where only Deno is there, and where no runtime is. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { EXAMPLE, onPath, testHelloService } from "./hello_service_cases.ts";
import { withTempDir } from "./sample_tree.ts";

testHelloService("deno", Deno.execPath());

Deno.test("examples/hello-service: install hint without a runtime", async () => {
  await withTempDir(async (dir) => {
    for (const tool of ["sh", "dirname"]) {
      await Deno.symlink(onPath(tool) ?? `/bin/${tool}`, join(dir, tool));
    }
    const run = async (env: Record<string, string>) => {
      const done = await new Deno.Command("/bin/sh", {
        args: [`${EXAMPLE}/scripts/health.sh`],
        clearEnv: true,
        env: { PATH: dir, HARNESS_DATA_DIR: dir, ...env },
        stdin: "null",
      }).output();
      return { code: done.code, text: new TextDecoder().decode(done.stderr) };
    };
    const none = await run({});
    assert.equal(none.code, 127);
    assert.match(none.text, /none of node, deno, python3 is on PATH .*: install one/);
    const wrong = await run({ HELLO_RUNTIME: "/nowhere/node" });
    assert.equal(wrong.code, 127);
    assert.match(wrong.text, /HELLO_RUNTIME=\/nowhere\/node is not a program on this host/);
  });
});

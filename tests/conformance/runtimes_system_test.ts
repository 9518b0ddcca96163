/** The servers of examples/, each on its own runtime, against the same suite. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { bundle } from "../helpers/bundle.ts";
import { LineProcess } from "../helpers/lines.ts";
import { needs } from "../helpers/require.ts";
import { nodePath } from "../helpers/runtimes.ts";
import { CHECKS, runSuite } from "./suite.ts";

/** Runs the suite against a server process that prints its address. */
async function checkServer(t: Deno.TestContext, command: string, args: string[]): Promise<void> {
  await using server = new LineProcess(command, args);
  const url = /ws:\/\/\S+/.exec(await server.line())?.[0] ?? "";
  let passed = 0;
  for await (const { name, error, skipped } of runSuite({ url })) {
    await t.step(name, () => {
      if (error !== null) throw error;
      if (skipped === null) passed++;
    });
  }
  assert.equal(passed, CHECKS.filter((check) => check.needs !== "token").length);
}

/** Bundles an example and hands over the file. */
async function withBundle(entry: string, use: (file: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "harness-bundle-" });
  try {
    const out = join(dir, "server.mjs");
    await bundle({ entry, out });
    assert.doesNotMatch(await Deno.readTextFile(out), /from "(?:jsr|https):/);
    await use(out);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("examples/deno_server.ts: conforms with few permissions", async (t) => {
  const root = new URL("../../", import.meta.url);
  const example = new URL("examples/deno_server.ts", root).pathname;
  const permissions = ["--allow-net=127.0.0.1", "--allow-env", "--no-prompt"];
  await checkServer(t, Deno.execPath(), ["run", ...permissions, example, "0"]);
});

Deno.test({
  name: "examples/node_server.ts: conforms on http and npm:ws",
  ignore: needs("node22"),
  fn: (t) =>
    withBundle(
      "examples/node_server.ts",
      async (file) => await checkServer(t, await nodePath(22), [file, "0"]),
    ),
});

Deno.test({
  name: "examples/bun_server.ts: conforms on Bun.serve",
  ignore: needs("bun"),
  fn: (t) => withBundle("examples/bun_server.ts", (file) => checkServer(t, "bun", [file, "0"])),
});

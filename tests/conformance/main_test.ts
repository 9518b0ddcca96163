/** `deno task conformance`, as a user runs it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { startServer } from "../helpers/test_server.ts";
import { CHECKS } from "./suite.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", MAIN, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test("conformance: prints a line per check, exits 0", async () => {
  const dir = await Deno.makeTempDir({ prefix: "harness-conformance-" });
  try {
    const tokenFile = `${dir}/token`;
    await Deno.writeTextFile(tokenFile, "the-token\n");
    await using server = await startServer({ listener: "ws", auth: { tokens: ["the-token"] } });
    const { code, out } = await run("--url", server.url, "--token-file", tokenFile);
    const lines = out.trimEnd().split("\n");
    assert.equal(lines.at(-1), `${CHECKS.length} passed, 0 failed`);
    assert.equal(lines.filter((line) => line.startsWith("ok ")).length, CHECKS.length);
    assert.equal(code, 0);
    assert(!out.includes("the-token"));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("conformance: exits 2 for bad flags, 4 without a server", async () => {
  for (const args of [[], ["--url", "nonsense"], ["--url", "ws://127.0.0.1:1", "--what"]]) {
    const { code, err } = await run(...args);
    assert.equal(code, 2);
    assert.match(err, /^usage: /);
  }
  const { code, err, out } = await run("--url", "ws://127.0.0.1:1");
  assert.equal(code, 4);
  assert.match(err, /^Cannot check ws:\/\/127\.0\.0\.1:1: .+\n$/);
  assert.equal(out, "");
});

/** What can be proved of the compiled binary without its base runtime, which not every machine can fetch. */
import assert from "node:assert/strict";
import { PERMISSIONS } from "../../.ci/compile.ts";
import { bundle } from "../helpers/bundle.ts";
import { LineProcess } from "../helpers/lines.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

Deno.test("the compiled binary may do what deno task start may, and no more", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const flags = tasks.start.command.split(" ").filter((word: string) => word.startsWith("--"));
  assert.deepEqual(flags, PERMISSIONS);
});

Deno.test("the program in one file, away from its sources, serves and builds under the binary's permissions", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const file = `${dir}/harness-ws-server.js`;
    await bundle({ entry: "src/cli/main.ts", out: file });
    const run = ["run", "--no-config", "--no-lock", "--cached-only", ...PERMISSIONS, file];
    const tree = `${ROOT}examples/hello-service`;
    const built = await new Deno.Command(Deno.execPath(), {
      args: [...run, "package", "build", tree, "--out", dir],
      cwd: dir,
    }).output();
    const text = new TextDecoder();
    assert.equal(built.code, 0, text.decode(built.stderr));
    assert.match(text.decode(built.stdout), /hello-service-1\.0\.0\.tar\.gz\n$/);

    await using server = new LineProcess(Deno.execPath(), [
      ...run,
      "serve",
      "--listen",
      "127.0.0.1:0",
      "--state-dir",
      `${dir}/state`,
    ], { cwd: dir });
    const ready = await server.line();
    const port = /^harness-ws-server listening on ws:\/\/127\.0\.0\.1:(\d+)/.exec(ready)?.[1];
    assert.ok(port !== undefined, ready);
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
    assert.equal((await answer.json()).status, "ready");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("deno task compile says what to do where its base runtime is not there", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "compile"],
    cwd: ROOT,
    env: { DENORT_BIN: "/nonexistent/denort" },
  }).output();
  const said = new TextDecoder().decode(stderr);
  assert.equal(code, 1, said);
  assert.match(
    said,
    /^Cannot compile dist\/harness-ws-server: [^\n]*denort[^\n]*DENORT_BIN=[^\n]*\n$/,
  );
});

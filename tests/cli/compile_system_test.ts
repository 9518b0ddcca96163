/** What can be proved of the compiled binary without its base runtime, which not every machine can fetch. */
import assert from "node:assert/strict";
import { PERMISSIONS, whyNotOurs } from "../../.ci/compile.ts";
import { bundle } from "../helpers/bundle.ts";
import { LineProcess } from "../helpers/lines.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

Deno.test("compile: the permissions of deno task start", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const flags = tasks.start.command.split(" ").filter((word: string) => word.startsWith("--"));
  assert.deepEqual(flags, PERMISSIONS);
});

Deno.test("compile: one file serves and builds with its permissions", async () => {
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

Deno.test("compile: reports a missing base runtime", async () => {
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

Deno.test("deno task compile: a base that is no runtime is an error", async () => {
  // Deno itself ignores what was put into it, and so does any other program.
  for (const base of [Deno.execPath(), "/bin/true"]) {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "compile"],
      cwd: ROOT,
      env: { DENORT_BIN: base },
      stdout: "null",
    }).output();
    const said = new TextDecoder().decode(stderr).trimEnd().split("\n").at(-1) ?? "";
    assert.equal(code, 1, said);
    assert.match(
      said,
      /^Cannot compile [^ ]+: what was made is not this program: --version prints "/,
    );
    assert.ok(said.includes(`DENORT_BIN=${base} is no base runtime`), said);
    await assert.rejects(Deno.stat(`${ROOT}dist/harness-ws-server`), Deno.errors.NotFound);
  }
});

Deno.test("whyNotOurs(): takes this program, and no other", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const program = async (text: string) => {
      const file = `${dir}/${crypto.randomUUID()}`;
      await Deno.writeTextFile(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
      return file;
    };
    const main = `${ROOT}src/cli/main.ts`;
    const ours = `exec '${Deno.execPath()}' run --no-check -A '${main}' "$@"`;
    assert.equal(await whyNotOurs(await program(ours)), null);
    const mute = `[ "$1" = --version ] || exit 0\n${ours}`;
    assert.match(await whyNotOurs(await program(mute)) ?? "", /^serve prints ""/);
    assert.match(await whyNotOurs(await program("echo 1.0")) ?? "", /^--version prints "1.0"/);
    assert.match(await whyNotOurs(`${dir}/missing`) ?? "", /^it cannot be run/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

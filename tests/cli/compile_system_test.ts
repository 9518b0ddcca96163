/** `deno task compile`: what can be proved of it without its base runtime, which not every machine can fetch. */
import assert from "node:assert/strict";
import { RUN_FLAGS, V8_FLAGS, whyNotOurs } from "../../.ci/compile.ts";
import { needs } from "../helpers/require.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { VERSION } from "../../src/version.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

async function compile(base: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "compile", ...args],
    cwd: ROOT,
    env: { DENORT_BIN: base },
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr).trimEnd() };
}

/** Names in dist/ that `deno task compile` made. */
async function made(): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(`${ROOT}dist`), ({ name }) => name);
  return names.filter((name) => /^(harness-ws-server|\.compile-)/.test(name));
}

Deno.test("compile: the flags of deno task start and the launcher", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const launcher = await Deno.readTextFile(`${ROOT}src/cli/bin/harness-ws-server`);
  for (const command of [tasks.start.command, launcher.slice(launcher.indexOf("\nexec "))]) {
    const flags = command.split(/\s+/).filter((word: string) => word.startsWith("--"));
    assert.deepEqual(flags, ["--quiet", ...RUN_FLAGS]);
  }
});

Deno.test("compile: its V8 flags take effect", async () => {
  const script = `import { getHeapSpaceStatistics } from "node:v8";
    const kept = [];
    for (let at = 0; at < 1e6; at++) kept[at % 1e4] = [at];
    const young = getHeapSpaceStatistics().find((space) => space.space_name === "new_space");
    console.log(young.space_size);`;
  const size = async (...flags: string[]) => {
    const args = ["eval", ...flags, script];
    const { stdout } = await new Deno.Command(Deno.execPath(), { args }).output();
    return Number(new TextDecoder().decode(stdout));
  };
  const [own, usual] = [await size(V8_FLAGS), await size()];
  assert.ok(own > 0 && own < usual, `${own} ${usual}`);
});

Deno.test("compile: reports a missing base runtime", async () => {
  const { code, stderr } = await compile("/nonexistent/denort");
  assert.equal(code, 1, stderr);
  assert.match(
    stderr,
    /^Cannot compile dist\/harness-ws-server: [^\n]*denort[^\n]*DENORT_BIN=[^\n]*$/,
  );
});

Deno.test("compile: a base that is no runtime is an error", async () => {
  // Deno itself ignores what was put into it, and so does any other program.
  for (const base of [Deno.execPath(), "/bin/true"]) {
    const { code, stderr } = await compile(base);
    assert.equal(code, 1, stderr);
    assert.match(
      stderr,
      /^Cannot compile [^ ]+: what was made is not this program: --version prints "[^\n]*$/,
    );
    assert.ok(stderr.includes(`DENORT_BIN=${base} is no base runtime`), stderr);
    assert.deepEqual(await made(), []);
  }
});

Deno.test({
  name: "compile: a base that is this program gets the name",
  ignore: needs("cc"),
  async fn() {
    await using dir = await tempDir();
    // Not denort: the checks, the rename and the report are what is tried.
    const source = `${dir.path}/base.c`;
    const words = [Deno.execPath(), "run", "--no-check", "-A", `${ROOT}src/cli/main.ts`];
    await Deno.writeTextFile(
      source,
      `#include <unistd.h>
       int main(int n, char **given) {
         char *args[64] = {${words.map((word) => JSON.stringify(word)).join(", ")}};
         for (int i = 1; i < n && i < 50; i++) args[i + ${words.length - 1}] = given[i];
         execv(args[0], args);
         return 127;
       }`,
    );
    const base = `${dir.path}/base`;
    const cc = await new Deno.Command("cc", { args: ["-o", base, source] }).output();
    assert.ok(cc.success, new TextDecoder().decode(cc.stderr));
    try {
      const { code, stdout, stderr } = await compile(base);
      assert.equal(code, 0, stderr);
      assert.match(
        stdout,
        /^dist\/harness-ws-server \(\d+ MiB\), its --version and serve were run\n$/,
      );
      assert.deepEqual(await made(), ["harness-ws-server"]);
    } finally {
      await Deno.remove(`${ROOT}dist/harness-ws-server`);
    }
  },
});

Deno.test({
  name: "compile: says that a program for another system was not run",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const other = Deno.build.arch === "x86_64" ? "aarch64" : "x86_64";
    const target = `${other}-unknown-linux-gnu`;
    const { code, stdout, stderr } = await compile("/bin/true", "--target", target);
    assert.equal(code, 0, stderr);
    assert.ok(stdout.startsWith(`dist/harness-ws-server-${target} (`), stdout);
    assert.match(stdout, /: it was NOT run, this machine is /);
    await Deno.remove(`${ROOT}dist/harness-ws-server-${target}`);
    assert.deepEqual(await made(), []);
  },
});

Deno.test({
  name: "compile: has what commands load when they run",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using dir = await tempDir();
    const { stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["compile", "--exclude-unused-npm", "--output", `${dir.path}/out`, "src/cli/main.ts"],
      cwd: ROOT,
      env: { DENORT_BIN: "/bin/true", NO_COLOR: "1" },
    }).output();
    const listed = new TextDecoder().decode(stderr);
    // A directory that is in it whole is one line, and so is a package.
    for (const part of ["src/*", "ssh2/", "yaml/", "zod/", "ws/"]) {
      assert.ok(listed.includes(`── ${part}`), `${part}\n${listed}`);
    }
  },
});

Deno.test("whyNotOurs: takes this program, and no other", async () => {
  await using dir = await tempDir();
  const program = async (text: string) => {
    const file = `${dir.path}/${crypto.randomUUID()}`;
    await Deno.writeTextFile(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return file;
  };
  const main = `${ROOT}src/cli/main.ts`;
  const ours = `exec '${Deno.execPath()}' run --no-check -A '${main}' "$@"`;
  assert.equal(await whyNotOurs(await program(ours)), null);
  const mute = `[ "$1" = --version ] || exit 0\n${ours}`;
  assert.match(await whyNotOurs(await program(mute)) ?? "", /^serve prints ""/);
  const ready = "harness-ws-server listening on ws://127.0.0.1:1";
  const dies = `[ "$1" = --version ] && echo harness-ws-server ${VERSION} && exit
    trap 'exit 3' TERM; echo ${ready}; while :; do sleep 0.1; done`;
  assert.equal(
    await whyNotOurs(await program(dies)),
    "serve ends with code 3 after SIGTERM, not with 0",
  );
  assert.match(await whyNotOurs(await program("echo 1.0")) ?? "", /^--version prints "1.0"/);
  assert.match(await whyNotOurs(`${dir.path}/missing`) ?? "", /^it cannot be run/);
});

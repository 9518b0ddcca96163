/** The first start after a download of this repository: no library is there yet. */
import assert from "node:assert/strict";
import { testerEnvironment } from "../helpers/cli.ts";
import { Terminal } from "../helpers/pty.ts";
import { needs } from "../helpers/require.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** An environment without any cache of Deno's. */
function fresh(dir: string): Record<string, string> {
  return { ...testerEnvironment(), DENO_DIR: `${dir}/deno`, HOME: dir, XDG_RUNTIME_DIR: dir };
}

Deno.test("first start: from a checkout, nothing but the answer", async () => {
  await using dir = await tempDir();
  const { code, stdout, stderr } = await new Deno.Command(`${ROOT}src/cli/bin/harness-ws-server`, {
    args: ["--version"],
    clearEnv: true,
    env: fresh(dir.path),
  }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stderr));
  assert.match(text.decode(stdout), /^harness-ws-server \d[^\n]*\n$/);
  assert.equal(text.decode(stderr), "");
});

Deno.test({
  name: "first start: deno task start at a terminal",
  ignore: needs("python3"),
  async fn() {
    await using dir = await tempDir();
    const serve = ["--listen", "127.0.0.1:0", "--state-dir", `${dir.path}/state`];
    await using terminal = new Terminal([Deno.execPath(), "task", "start", ...serve], {
      cwd: ROOT,
      env: { ...fresh(dir.path), NO_COLOR: "1" },
      columns: 400,
    });
    await terminal.until(({ scrollback }) => /Serving on ws:/.test(scrollback));
    // The moving line of the downloads is gone: the task, the ready line and the log are left.
    const lines = terminal.scrollback.split("\n").filter((line) => line.trim() !== "");
    assert.match(lines[0] ?? "", /^Task start deno run /);
    const rest = lines.slice(1).filter((line) => !/^\d{4}-\d\d-\d\dT\S+ INFO /.test(line));
    assert.equal(rest.length, 1, terminal.scrollback);
    assert.match(rest[0] ?? "", /^harness-ws-server listening on ws:/);
    await terminal.type("\x03");
    // Ours ends with 0; the task runner, which Ctrl-C reaches too, passes that on or ends with 130 itself.
    assert.ok([0, 130].includes((await terminal.ended).code ?? -1));
  },
});

import assert from "node:assert/strict";
import { Terminal } from "../helpers/pty.ts";
import { needs } from "../helpers/require.ts";

Deno.test("pty: a program has a terminal of the size asked for", {
  ignore: needs("python3"),
}, async () => {
  const script = 'stty size; printf "\\033[?25l"; read x; stty size; stty -echo; exit 3';
  await using terminal = new Terminal(["sh", "-c", script], { columns: 60, rows: 20 });
  await terminal.until(({ screen }) => screen.includes("20 60"));
  await terminal.resize(90, 25);
  await terminal.type("x\r");
  const { code, signal, modes } = await terminal.ended;
  assert.deepEqual({ code, signal, modes }, {
    code: 3,
    signal: null,
    modes: { echo: false, canonical: true },
  });
  assert.equal(terminal.screen, "20 60\nx\n25 90");
  assert.equal(terminal.isCursorVisible, false);
});

Deno.test("pty: Ctrl-C interrupts the program", { ignore: needs("python3") }, async () => {
  const script = 'trap "echo interrupted; exit 130" INT; echo ready; while :; do sleep 1; done';
  await using terminal = new Terminal(["sh", "-c", script]);
  await terminal.until(({ screen }) => screen.includes("ready"));
  await terminal.type("\x03");
  assert.equal((await terminal.ended).code, 130);
  assert.match(terminal.screen, /interrupted/);
});

Deno.test("pty: a test that fails leaves no program behind", {
  ignore: needs("python3"),
}, async () => {
  const terminal = new Terminal(["sh", "-c", "echo $$; exec sleep 1000"]);
  await terminal.until(({ screen }) => /\d+/.test(screen));
  const pid = Number(terminal.screen);
  await terminal[Symbol.asyncDispose]();
  assert.throws(() => Deno.kill(pid, "SIGCONT"), Deno.errors.NotFound);
});

Deno.test("pty: the program of this repository runs in it", {
  ignore: needs("python3"),
}, async () => {
  await using terminal = Terminal.program(["--version"]);
  assert.equal((await terminal.ended).code, 0);
  assert.match(terminal.screen, /^harness-ws-server \d+\.\d+\.\d+ /);
});

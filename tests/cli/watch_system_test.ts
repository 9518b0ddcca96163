/** `watch` as its user sees it: in a real terminal. */
import assert from "node:assert/strict";
import { freePort } from "../helpers/free_port.ts";
import { removeTree } from "../helpers/remove_tree.ts";
import { runHere, startServer } from "../helpers/cli.ts";
import { Terminal } from "../helpers/pty.ts";
import { needs } from "../helpers/require.ts";

const PTY = { ignore: needs("python3") };

async function register(url: string, name: string, ...more: string[]): Promise<void> {
  const args = ["service", "register", name, "--version", "1.0.0", "--command", "/x", ...more];
  const { code, stderr } = await runHere(args, { HARNESS_URL: url });
  assert.equal(code, 0, stderr);
}

/** The terminal is as the shell before had it. */
async function assertRestored(terminal: Terminal, code: number): Promise<void> {
  const ended = await terminal.ended;
  assert.deepEqual([ended.code, ended.modes], [code, { echo: true, canonical: true }]);
  assert.ok(terminal.isCursorVisible);
  assert.equal(terminal.emulator.buffer.active.type, "normal");
}

Deno.test("watch: a live table, until Ctrl-C", PTY, async () => {
  await using server = await startServer();
  await register(server.url, "web");
  await using terminal = Terminal.program(["watch", "w*", "--url", server.url], { rows: 12 });
  await terminal.until(({ screen }) => /^web +registered +- +1\.0\.0 +local +\ds$/m.test(screen));
  assert.match(terminal.screen, /^ws:\S+ {2}1 service: 1 registered\n\nID +STATE +HEALTH/);
  assert.equal(terminal.isCursorVisible, false);
  await register(server.url, "other");
  await register(server.url, "worker", "--replace");
  await terminal.until(({ screen }) => screen.includes("2 services: 2 registered"));
  await runHere(["service", "deregister", "web", "--url", server.url]);
  await terminal.until(({ screen }) => !/^web/m.test(screen));
  assert.doesNotMatch(terminal.screen, /other/);
  await terminal.until(({ screen }) => /^worker .* [2-9]s$/m.test(screen));
  await terminal.type("\x03");
  await assertRestored(terminal, 130);
  // Its last picture stays.
  assert.match(terminal.screen, /^ws:\S+ {2}1 service: 1 registered\nID .*\nworker /);
});

Deno.test("watch: scrolls, fits the window, ends with q", PTY, async () => {
  await using server = await startServer();
  for (let at = 10; at < 30; at++) await register(server.url, `service-${at}`);
  await using terminal = Terminal.program(["watch", "--url", server.url], { rows: 10 });
  await terminal.until(({ screen }) => screen.includes("1 to 6 of 20"));
  assert.match(terminal.screen, /^service-10 /m);
  await terminal.type("j");
  await terminal.until(({ screen }) => screen.includes("2 to 7 of 20"));
  assert.doesNotMatch(terminal.screen, /service-10/);
  await terminal.type("\x1a");
  await terminal.until(({ emulator }) => emulator.buffer.active.type === "normal");
  await terminal.kill("SIGCONT");
  await terminal.until(({ screen }) => screen.includes("2 to 7 of 20"));
  await terminal.type("jjG");
  await terminal.until(({ screen }) => /^service-29 /m.test(screen));
  await terminal.resize(100, 40);
  await terminal.until(({ screen }) => /^service-10 /m.test(screen) && !screen.includes(" of 20"));
  await terminal.resize(30, 12);
  await terminal.until(({ screen }) => /^ {2}state registered$/m.test(screen));
  await terminal.type("q");
  await assertRestored(terminal, 0);
});

Deno.test("watch: chosen by state; a second signal restores too", PTY, async () => {
  await using server = await startServer();
  await register(server.url, "web");
  const args = ["watch", "--url", server.url, "--state", "running", "--wide"];
  await using terminal = Terminal.program(args);
  await terminal.until(({ screen }) => screen.includes("no services yet"));
  await terminal.kill("SIGHUP");
  await assertRestored(terminal, 129);
});

Deno.test("watch: reports a lost connection, and goes on", PTY, async () => {
  const stateDir = await Deno.makeTempDir({ prefix: "harness-watch-" });
  try {
    const listen = ["--listen", `127.0.0.1:${freePort()}`];
    await using terminal = await (async () => {
      await using server = await startServer(listen, { stateDir });
      await register(server.url, "one");
      const watching = Terminal.program(["watch", "--url", server.url]);
      await watching.until(({ screen }) => /^one /m.test(screen));
      return watching;
    })();
    await terminal.until(({ screen }) => screen.includes("connection lost"));
    assert.match(terminal.screen, /^one /m);
    await using server = await startServer(listen, { stateDir });
    await register(server.url, "two");
    await terminal.until(({ screen }) =>
      /^two /m.test(screen) && !screen.includes("connection lost")
    );
    await terminal.type("q");
    await assertRestored(terminal, 0);
  } finally {
    await removeTree(stateDir);
  }
});

Deno.test("watch: events where nothing can be redrawn", PTY, async () => {
  await using server = await startServer();
  const env = { TERM: "dumb", HARNESS_URL: server.url };
  await using terminal = Terminal.program(["watch"], { env });
  await terminal.until(({ screen }) => screen.includes("watching"));
  await register(server.url, "web");
  await terminal.until(({ screen }) => screen.includes("web  registered"));
  assert.ok(!terminal.output.includes("\x1b"), JSON.stringify(terminal.output));
  await terminal.type("\x03");
  assert.equal((await terminal.ended).code, 130);
});

/** `service register … -- command` on a terminal. */
import assert from "node:assert/strict";
import { RegistryClient } from "../../src/client/mod.ts";
import { startServer } from "../helpers/cli.ts";
import { Terminal } from "../helpers/pty.ts";
import { needs } from "../helpers/require.ts";

Deno.test("keep-alive: Ctrl-C reaches a child once", {
  ignore: needs("python3"),
}, async () => {
  await using server = await startServer();
  await using client = await RegistryClient.connect(server.url);
  const script = 'n=0; trap "n=\\$((n+1)); echo interrupt \\$n" INT; stty -echo; ' +
    'echo ready; read line; echo "read $line"; while [ $n -lt 2 ]; do sleep 0.1; done; exit 5';
  await using terminal = Terminal.program(
    ["service", "register", "web", "--", "sh", "-c", script],
    { env: { HARNESS_URL: server.url } },
  );
  await terminal.until(({ screen }) => screen.includes("web registered, lease 15s"));
  await terminal.until(({ screen }) => screen.includes("ready"));
  // Its input is the child's.
  await terminal.type("hello\r");
  await terminal.until(({ screen }) => screen.includes("read hello"));
  await terminal.type("\x03");
  await terminal.until(({ screen }) => screen.includes("interrupt 1"));
  assert.deepEqual((await client.listServices()).map(({ state }) => state), ["running"]);
  await terminal.type("\x03");
  const { code } = await terminal.ended;
  assert.equal(code, 5);
  assert.equal(terminal.scrollback.match(/interrupt \d/g)?.join(), "interrupt 1,interrupt 2");
  assert.deepEqual(await client.listServices(), []);
});

Deno.test("keep-alive: Ctrl-C of one without a child removes it", {
  ignore: needs("python3"),
}, async () => {
  await using server = await startServer();
  await using client = await RegistryClient.connect(server.url);
  await using terminal = Terminal.program(
    ["service", "register", "db", "--keep-alive", "--command", "/bin/db"],
    { env: { HARNESS_URL: server.url }, columns: 60 },
  );
  await terminal.until(({ screen }) => screen.includes("Ctrl-C removes it"));
  await terminal.type("\x03");
  assert.equal((await terminal.ended).code, 130);
  assert.deepEqual(await client.listServices(), []);
});

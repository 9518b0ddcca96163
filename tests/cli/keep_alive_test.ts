/** `service register --keep-alive`, with the real program and a real server. */
import assert from "node:assert/strict";
import type { ServiceEntry } from "../../src/model/service.ts";
import { RegistryClient } from "../../src/client/mod.ts";
import {
  type CliOptions,
  runCli,
  RunningCli,
  startServer,
  type TestServer,
} from "../helpers/cli.ts";
import { freePort } from "../helpers/free_port.ts";
import { eventually } from "../helpers/raw_client.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const REGISTER = ["service", "register"];

/** A server, what is in its registry, and our program against it. */
async function setup() {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startServer());
  const client = stack.use(await RegistryClient.connect(server.url));
  const owned = stack.move();
  const env = { HARNESS_URL: server.url };
  const find = async (id: string): Promise<ServiceEntry | undefined> => {
    return (await client.listServices()).find((entry) => entry.id === id);
  };
  return {
    server,
    client,
    find,
    run: (args: string[], options: CliOptions = {}) => {
      return runCli([...REGISTER, ...args], { ...options, env: { ...env, ...options.env } });
    },
    start: (...args: string[]) => new RunningCli([...REGISTER, ...args], { env }),
    until: async (id: string, state: string | undefined) => {
      const isSo = async () => (await find(id))?.state === state;
      await eventually(isSo, `${id} is ${state ?? "gone"}`);
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

async function tokenOf(server: TestServer): Promise<string> {
  return (await Deno.readTextFile(`${server.stateDir}/token`)).trim();
}

Deno.test("keep-alive: a child's output, code and environment", async () => {
  await using it = await setup();
  const script =
    'echo "$HARNESS_SERVICE $HARNESS_VERSION $HARNESS_URL ${HARNESS_TOKEN-none} ${HARNESS_SERVER_TOKEN-none}"; exit 3';
  const token = await tokenOf(it.server);
  const env = {
    HARNESS_TOKEN: token,
    HARNESS_SERVER_TOKEN: token,
    LD_LIBRARY_PATH: "/nonexistent",
  };
  const child = await it.run(["web", "--version", "2.0.0", "--", "sh", "-c", script], { env });
  assert.equal(child.code, 3);
  assert.equal(child.stdout, `web 2.0.0 ${it.server.url} none none\n`);
  const missing = await it.run(["web", "--", "/nonexistent/program", "--flag"]);
  assert.equal(missing.code, 127);
  assert.match(missing.stderr, /\/nonexistent\/program.*not found/);
  await it.until("web", undefined);
});

Deno.test("keep-alive: registered while the child runs, by its pid", async () => {
  await using it = await setup();
  await using child = it.start(
    ...["web", "--endpoint", "http=127.0.0.1:8080", "--depends-on", "db", "--label", "a=b"],
    ...["--", "sh", "-c", "echo $$; exec sleep 600", "secret-argument"],
  );
  await it.until("web", "running");
  await child.until(({ stdout }) => stdout.endsWith("\n"));
  const entry = await it.find("web");
  const pid = Number(child.stdout);
  // Its arguments may hold secrets, and everybody may read the registry.
  assert.deepEqual(entry?.execution, { type: "managed_process", command: "sh", args: [], pid });
  assert.deepEqual([entry?.depends_on, entry?.labels, entry?.ttl_ms], [["db"], { a: "b" }, 15_000]);
  const [endpoint] = await it.client.resolveEndpoint("web");
  assert.deepEqual([endpoint?.address, endpoint?.protocol], ["127.0.0.1:8080", "http"]);
  Deno.kill(pid, "SIGKILL");
  const { code, stderr } = await child.end();
  assert.equal(code, 137);
  assert.match(stderr, /^web registered, lease 15s, pid \d+\n$/);
  assert.equal(await it.find("web"), undefined, "gone when the command has ended");
});

Deno.test("keep-alive: passes signals on, once each", async () => {
  await using it = await setup();
  const script = 'for s in HUP INT TERM USR1; do trap "echo $s" $s; done; trap "exit 9" USR2; ' +
    "echo ready; while :; do sleep 0.1; done";
  await using child = it.start("web", "--", "sh", "-c", script);
  await it.until("web", "running");
  await child.until(({ stdout }) => stdout === "ready\n");
  let expected = "ready\n";
  for (const name of ["HUP", "INT", "TERM", "INT", "TERM", "USR1"] as const) {
    child.kill(`SIG${name}`);
    expected += `${name}\n`;
    await child.until(({ stdout }) => stdout.length >= expected.length);
  }
  assert.equal(child.stdout, expected);
  assert.equal((await it.find("web"))?.state, "running");
  child.kill("SIGUSR2");
  assert.equal((await child.end()).code, 9);
  assert.equal(await it.find("web"), undefined);
});

Deno.test("keep-alive: --keep-entry says how the child ended", async () => {
  await using it = await setup();
  const end = async (script: string, signal?: Deno.Signal) => {
    await using child = it.start("web", "--keep-entry", "--", "sh", "-c", script);
    await it.until("web", "running");
    await child.until(({ stdout }) => stdout === "ready\n");
    child.kill(signal ?? "SIGUSR1");
    const { code } = await child.end();
    const entry = await it.find("web");
    return [code, entry?.state, entry?.state_reason];
  };
  const script = (code: number) =>
    `trap "exit ${code}" USR1; echo ready; while :; do sleep 0.1; done`;
  assert.deepEqual(await end(script(7)), [7, "failed", "exit code 7"]);
  assert.deepEqual(await end(script(0)), [0, "stopped", "exit code 0"]);
  assert.deepEqual(await end("echo ready; exec sleep 600", "SIGTERM"), [
    143,
    "stopped",
    "ended by SIGTERM",
  ]);
});

Deno.test("keep-alive: killed, its lease expires", async () => {
  await using it = await setup();
  await using dir = await tempDir();
  const script = `echo $$ > ${dir.path}/pid; exec sleep 600`;
  await using child = it.start("web", "--ttl", "1s", "--", "sh", "-c", script);
  await it.until("web", "running");
  child.kill("SIGKILL");
  await it.until("web", "failed");
  assert.equal((await it.find("web"))?.state_reason, "heartbeat missed");
  Deno.kill(Number(await Deno.readTextFile(`${dir.path}/pid`)), "SIGKILL");
  // The next run takes the place of what this one left.
  await using again = it.start("web", "--ttl", "1s", "--keep-alive", "--command", "/bin/web");
  await it.until("web", "running");
  again.kill("SIGTERM");
  assert.equal((await again.end()).code, 143);
});

Deno.test("keep-alive: without a child, until it is interrupted", async () => {
  await using it = await setup();
  await using held = it.start("db", "--keep-alive", "--systemd", "postgresql.service");
  await held.until(({ stdout }) => stdout === "db registered, lease 15s; Ctrl-C removes it\n");
  assert.equal((await it.find("db"))?.state, "running");
  await it.client.deregisterService("db");
  // The lease is due in 5 s; it comes back as nobody but its owner removes it for good.
  await it.until("db", "running");
  held.kill("SIGINT");
  assert.equal((await held.end()).code, 130);
  assert.equal(await it.find("db"), undefined);
});

Deno.test("keep-alive: goes on across a restart of the server", async () => {
  await using dir = await tempDir();
  const port = freePort();
  const serve = async () => {
    const args = ["serve", "--listen", `127.0.0.1:${port}`, "--state-dir", dir.path];
    const server = new RunningCli(args);
    await server.until(({ stdout }) => stdout.includes("listening"));
    return server;
  };
  const url = `ws://127.0.0.1:${port}`;
  const first = await serve();
  await using held = new RunningCli(
    [...REGISTER, "db", "--keep-alive", "--command", "/bin/db", "--url", url],
  );
  await held.until(({ stdout }) => stdout !== "");
  await first[Symbol.asyncDispose]();
  await held.until(({ stderr }) => stderr.includes("reconnecting"));
  // Its data is gone, too: it is registered again.
  for await (const { name } of Deno.readDir(dir.path)) {
    if (name.startsWith("registry.")) await Deno.remove(`${dir.path}/${name}`);
  }
  await using _second = await serve();
  await using client = await RegistryClient.connect(url);
  await eventually(async () => (await client.listServices())[0]?.state === "running", "it is back");
  await held.until(({ stderr }) => stderr.includes("db is registered again"));
  assert.match(held.stderr, /connected again/);
});

Deno.test("keep-alive: --wait for the endpoints, or not at all", async () => {
  await using it = await setup();
  const port = freePort();
  const endpoint = `http=127.0.0.1:${port}`;
  await using held = it.start(
    ...["web", "--endpoint", endpoint, "--wait", "60s", "--keep-alive", "--command", "/bin/web"],
  );
  {
    await using late = await tempDir();
    const child = await it.run(
      ["late", "--endpoint", endpoint, "--wait", "300ms", "--", "sh", "-c"]
        .concat(`echo $$ > ${late.path}/pid; exec sleep 600`),
    );
    assert.equal(child.code, 5);
    assert.match(child.stderr, new RegExp(`127.0.0.1:${port} took no connection within 300ms`));
    const pid = Number(await Deno.readTextFile(`${late.path}/pid`));
    assert.throws(() => Deno.kill(pid, "SIGCONT"), "the child is stopped");
  }
  assert.deepEqual(await it.client.listServices(), []);
  using listener = Deno.listen({ hostname: "127.0.0.1", port });
  const accepting = (async () => {
    for await (const connection of listener) connection.close();
  })();
  await held.until(({ stdout }) => stdout.startsWith("web registered"));
  listener.close();
  await accepting;
});

Deno.test("keep-alive: leaves the entries of others alone", async () => {
  await using it = await setup();
  const execution = { type: "managed_process", command: "/bin/web" } as const;
  await it.client.registerService({ name: "web", version: "1", execution });
  const refused = await it.run(["web", "--", "true"]);
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /there without a lease.*\[already_exists\]\n {2}hint: add --replace/,
  );
  assert.equal((await it.run(["web", "--replace", "--", "true"])).code, 0);
  const usage = [
    ["web", "node", "server.js"],
    ["web", "--"],
    ["web", "--wait", "1s", "--", "node"],
    ["web", "--version", "1", "--command", "x", "--keep-entry"],
    ["--", "node"],
  ];
  for (const args of usage) assert.equal((await it.run(args)).code, 2, args.join(" "));
});

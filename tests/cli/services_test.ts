import assert from "node:assert/strict";
import { freePort } from "../helpers/free_port.ts";
import { removeTree } from "../helpers/remove_tree.ts";
import { eventually } from "../helpers/raw_client.ts";
import { type CliResult, runCli, runHere, RunningCli, startServer } from "../helpers/cli.ts";

/** Runs client commands against a server, in this process. */
function client(url: string): (...args: string[]) => Promise<CliResult> {
  return (...args) => runHere(args, { HARNESS_URL: url });
}

const REGISTER = ["service", "register"];

Deno.test("services: register, list, get, resolve, deregister", async () => {
  await using server = await startServer();
  const run = client(server.url);
  const empty = await run("services");
  assert.deepEqual([empty.code, empty.stdout, empty.stderr], [0, "", "no services\n"]);
  const registered = await run(
    ...[...REGISTER, "web", "--version", "1.2.3", "--command", "/usr/bin/web", "--arg=--port=80"],
    ...["--endpoint", "http=http://127.0.0.1:80", "--endpoint", "raw=myproto://[::1]:81"],
    ...["--depends-on", "db", "--label", "tier=front", "--host", "me@host1:2222"],
  );
  assert.deepEqual([registered.code, registered.stdout], [0, "web registered\n"]);
  await run(...REGISTER, "db", "--version", "9", "--docker", "postgres:16", "--container", "pg");
  await run(...REGISTER, "log", "--version", "1", "--systemd", "rsyslog.service");

  const nothing = await run("services", "api-*", "--state", "running", "--label", "tier");
  assert.deepEqual(
    [nothing.code, nothing.stdout, nothing.stderr],
    [0, "", "no services match api-* --state running --label tier\n"],
  );
  const list = await run("services");
  assert.match(list.stdout, /^ID +STATE +HEALTH +VERSION +HOST +AGE +REASON\n/);
  assert.match(list.stdout, /^web +registered +- +1\.2\.3 +host1 +\d+[sm]$/m);
  const wide = await run("services", "--wide");
  assert.match(wide.stdout, /^web .* managed_process +http=127\.0\.0\.1:80,raw=\S+ +\d{4}-\S+Z /m);
  const ids = async (...args: string[]) =>
    JSON.parse((await run("services", "--json", ...args)).stdout).map((e: { id: string }) => e.id);
  assert.deepEqual(await ids(), ["db", "log", "web"]);
  assert.deepEqual(await ids("w*"), ["web"]);
  assert.deepEqual(await ids("--host", "host1"), ["web"]);
  assert.deepEqual(await ids("--label", "tier=front"), ["web"]);
  assert.deepEqual(await ids("--state", "running"), []);

  const web = JSON.parse((await run("service", "get", "web", "--json")).stdout);
  assert.deepEqual(web.execution, {
    type: "managed_process",
    command: "/usr/bin/web",
    args: ["--port=80"],
    pid: null,
  });
  assert.deepEqual(web.location, {
    type: "remote",
    host: "host1",
    ssh_user: "me",
    ssh_port: 2222,
  });
  assert.deepEqual(web.endpoints[1].protocol, { custom: "myproto" });
  const shown = await run("service", "get", "web");
  assert.match(shown.stdout, /^depends on: +db$/m);
  assert.match(shown.stdout, /^endpoint: +http http 127\.0\.0\.1:80$/m);

  assert.match((await run("endpoints")).stdout, /^web +raw +myproto +\[::1\]:81$/m);
  const none = await run("resolve", "web");
  assert.equal(none.code, 1);
  assert.match(none.stderr, /\[unavailable\]$/m);
  const gone = await run("service", "deregister", "web");
  assert.deepEqual([gone.code, gone.stdout], [0, "web removed\n"]);
  const missing = await run("service", "get", "web");
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^harness-ws-server: .+ \[not_found\]\n {2}hint: .+ services.+\n$/);
});

Deno.test("service register: --file takes JSON, - is stdin", async () => {
  await using server = await startServer();
  const entry = { name: "x", version: "1", execution: { type: "systemd_service", unit_name: "x" } };
  const env = { HARNESS_URL: server.url };
  const args = ["service", "register", "--file", "-", "--json"];
  const fromStdin = await runCli(args, { env, stdin: JSON.stringify(entry) });
  assert.equal(JSON.parse(fromStdin.stdout).id, "x");
  const again = await runCli(args, { env, stdin: JSON.stringify(entry) });
  assert.equal(again.code, 1);
  assert.match(again.stderr, /\[already_exists\]$/m);
  const replaced = await runCli([...args, "--replace"], { env, stdin: JSON.stringify(entry) });
  assert.equal(replaced.code, 0, replaced.stderr);
  const broken = await runCli(args, { env, stdin: "{" });
  assert.equal(broken.code, 2);
  const wrong = await runCli(args, { env, stdin: '{"name":"y"}' });
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /version/);
});

Deno.test("service register: missing flags are exit code 2", async () => {
  const cases: Array<[string[], RegExp]> = [
    [[], /give a name/],
    [["x"], /give --version/],
    [["x", "--version", "1"], /one of --command, --docker, --systemd/],
    [["x", "--version", "1", "--command", "a", "--docker", "b"], /one of --command/],
    [["x", "--version", "1", "--command", "a", "--host", "h"], /--host as user@host/],
    [["x", "--endpoint", "http"], /must be name=protocol:\/\/host:port/],
    [["x", "--ttl", "5"], /must be a duration/],
  ];
  for (const [args, pattern] of cases) {
    const { code, stderr } = await runHere([...REGISTER, ...args]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, pattern);
  }
});

Deno.test("service: start, restart, stop and logs of a process", async () => {
  await using server = await startServer();
  const run = client(server.url);
  const script = "echo hello from $$; exec sleep 1000";
  await run(
    ...REGISTER,
    "s",
    "--version",
    "1",
    "--command",
    "/bin/sh",
    "--arg=-c",
    "--arg",
    script,
  );
  const started = await run("service", "start", "s");
  assert.deepEqual([started.code, started.stdout], [0, "s  registered → running\n"]);
  try {
    const pidOf = async () =>
      JSON.parse((await run("service", "get", "s", "--json")).stdout).execution.pid as number;
    const pid = await pidOf();
    assert.ok(pid > 1);
    await eventually(async () => {
      const { stdout } = await run("service", "logs", "s", "--tail", "5");
      return /^hello from \d+$/m.test(stdout);
    }, "its line is in the log");
    await using following = new RunningCli(["service", "logs", "s", "-f", "--json"], {
      env: { HARNESS_URL: server.url },
    });
    await following.until((it) => it.stdout.includes("hello"));
    const restarted = await run("service", "restart", "s", "--json");
    await following.until((it) => (it.stdout.match(/hello/g)?.length ?? 0) >= 2);
    assert.match(JSON.parse(following.stdout.split("\n")[0] ?? "").line, /^hello from \d+$/);
    following.kill("SIGINT");
    assert.equal((await following.end()).code, 130);
    assert.equal(JSON.parse(restarted.stdout).new_state, "running");
    assert.notEqual(await pidOf(), pid);
    await run(...REGISTER, "t", "--version", "1", "--command", "/bin/echo", "--arg=bye");
    await run("service", "start", "t");
    await eventually(async () => {
      const { stdout } = await run("service", "logs", "?", "t", "--since", "1h", "-n", "1");
      return /^s \| hello from \d+\nt \| bye\n$/.test(stdout);
    }, "the last line of each service, with its name");
    assert.match((await run("service", "logs", "s", "nobody")).stderr, /"nobody".*\[not_found\]/);
    assert.match((await run("service", "logs", "s", "no*")).stderr, /"no\*".*\[not_found\]/);
    assert.match((await run("service", "logs", "s", "--since", "noon")).stderr, /such as 10m/);
    const again = await run("service", "start", "s");
    assert.equal(again.code, 1);
    assert.match(again.stderr, /\[invalid_transition\]$/m);
  } finally {
    const stopped = await run("service", "stop", "s");
    assert.deepEqual([stopped.code, stopped.stdout], [0, "s  running → stopped\n"]);
  }
});

Deno.test("watch: prints filtered events until Ctrl-C", async () => {
  await using server = await startServer();
  const env = { HARNESS_URL: server.url };
  const run = client(server.url);
  await using text = new RunningCli(["watch"], { env });
  await using json = new RunningCli(["watch", "w*", "--json"], { env });
  await text.until((it) => it.stderr.includes("watching"));
  await json.until((it) => it.stderr.includes("watching"));
  await run(...REGISTER, "other", "--version", "1", "--command", "/x");
  await run(...REGISTER, "web", "--version", "1", "--command", "/x");
  await text.until((it) => it.stdout.includes("web  registered"));
  await json.until((it) => it.stdout.includes("\n"));
  const event = JSON.parse(json.stdout.split("\n")[0] ?? "");
  assert.deepEqual([event.event, event.data.id], ["service_registered", "web"]);
  assert.match(text.stdout, /^\d{4}-\S+Z {2}other {2}registered, version 1\n/);
  text.kill("SIGINT");
  assert.equal((await text.end()).code, 130);
  json.kill("SIGTERM");
  assert.equal((await json.end()).code, 143);
});

Deno.test("watch: resumes after a restart of the server", async () => {
  const stateDir = await Deno.makeTempDir({ prefix: "harness-watch-" });
  try {
    // The same port for both servers (the later --listen wins), and nobody else's in between.
    const listen = ["--listen", `127.0.0.1:${freePort()}`];
    await using watching = await (async () => {
      await using server = await startServer(listen, { stateDir });
      const cli = new RunningCli(["watch", "--url", server.url]);
      await cli.until((it) => it.stderr.includes("watching"));
      await client(server.url)(...REGISTER, "one", "--version", "1", "--command", "/x");
      await cli.until((it) => it.stdout.includes("one  registered"));
      return cli;
    })();
    await watching.until((it) => it.stderr.includes("connection lost"));
    await using server = await startServer(listen, { stateDir });
    await client(server.url)(...REGISTER, "two", "--version", "1", "--command", "/x");
    await watching.until((it) => it.stdout.includes("two  registered"), 60_000);
    assert.equal(watching.stdout.match(/registered/g)?.length, 2);
  } finally {
    await removeTree(stateDir);
  }
});

Deno.test("client commands: no server exits with 4, with a hint", async () => {
  const down = await runCli(["services", "--url", "ws://127.0.0.1:9"]);
  assert.equal(down.code, 4);
  assert.match(
    down.stderr,
    /^harness-ws-server: Cannot connect to .* \[unreachable\]\n {2}hint: .*serve.*\n$/,
  );
  const bad = await runCli(["services", "--url", "ftp://x"]);
  assert.equal(bad.code, 2);
  await using server = await startServer();
  const piped = new Deno.Command("sh", {
    args: ["-c", '"$0" run -A --quiet "$1" services --json --url "$2" | true; echo done'].concat([
      Deno.execPath(),
      new URL("../../src/cli/main.ts", import.meta.url).pathname,
      server.url,
    ]),
  });
  const { stdout, stderr } = await piped.output();
  assert.equal(new TextDecoder().decode(stdout), "done\n");
  assert.equal(new TextDecoder().decode(stderr), "");
});

Deno.test("services: an unresponsive server is exit code 5", async () => {
  using mute = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const args = ["services", "--url", `ws://127.0.0.1:${mute.addr.port}`, "--timeout", "300ms"];
  const { code, stderr } = await runCli(args);
  assert.equal(code, 5, stderr);
  assert.match(
    stderr,
    /^harness-ws-server: Cannot connect to .* \[timeout\]\n {2}hint: .*--timeout.*\n$/,
  );
});

Deno.test("services: colour only on a terminal, or as asked for", async () => {
  await using server = await startServer();
  const run = client(server.url);
  await run(...REGISTER, "web", "--version", "1", "--command", "/x");
  const inColor = (more: Record<string, string>, ...args: string[]) =>
    runCli(["services", ...args], { env: { HARNESS_URL: server.url, ...more } })
      .then(({ stdout }) => stdout.includes("\x1b["));
  assert.equal(await inColor({}), false);
  assert.equal(await inColor({ FORCE_COLOR: "1" }), true);
  assert.equal(await inColor({ FORCE_COLOR: "1", NO_COLOR: "1" }), false);
  assert.equal(await inColor({ FORCE_COLOR: "1" }, "--no-color"), false);
});

Deno.test("service deregister: what the server runs needs --force", async () => {
  await using server = await startServer();
  const run = client(server.url);
  await run(...REGISTER, "sleeper", "--version", "1", "--command", "/bin/sleep", "--arg", "600");
  assert.equal((await run("service", "start", "sleeper")).code, 0);
  const { execution } = JSON.parse((await run("service", "get", "sleeper", "--json")).stdout);
  const refused = await run("service", "deregister", "sleeper");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /this server runs it.* \[conflict\]\n {2}hint: .*--force/);
  const removed = await run("service", "deregister", "sleeper", "--force");
  assert.deepEqual([removed.code, removed.stdout], [0, "sleeper removed\n"]);
  assert.equal(removed.stderr, "sleeper runs on, and nothing watches it any more\n");
  Deno.kill(execution.pid, "SIGKILL");
});

import assert from "node:assert/strict";
import { runCli, runHere, RunningCli, startServer } from "../helpers/cli.ts";
import { TEST_TLS } from "../helpers/tls.ts";

/** An error of the program is one line that ends in a code, perhaps with a hint below; no stack trace. */
function assertOneLine(stderr: string, pattern: RegExp): void {
  assert.match(stderr, /^harness-ws-server: .+ \[[a-z_]+\]\n(?: {2}hint: .+\n)?$/);
  assert.match(stderr, pattern);
}

async function tempDir(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "harness-serve-" });
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

Deno.test("serve: one ready line on stdout, its logs on stderr", async () => {
  await using server = await startServer();
  const { cli, url, stateDir } = server;
  const version = await fetch(`${url.replace("ws:", "http:")}/version`);
  assert.equal((await version.json()).name, "harness-ws-server");
  cli.kill("SIGTERM");
  const { code, stdout, stderr } = await cli.end();
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `harness-ws-server listening on ${url} (protocol harness.v1, state ${stateDir}, 0 services)\n`,
  );
  assert.match(stderr, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO /);
  assert.match(stderr, /Shutting down: Interrupted by SIGTERM/);
});

Deno.test("serve: takes flags, the environment and a config file", async () => {
  await using dir = await tempDir();
  const config = `${dir.path}/c.yaml`;
  await Deno.writeTextFile(config, "listen: 127.0.0.1:1\nlog-format: json\nmax-connections: 3\n");
  const env = { HARNESS_LISTEN: "127.0.0.1:0", HARNESS_STATE_DIR: `${dir.path}/state` };
  await using cli = new RunningCli(["--config", config], { env });
  await cli.until((it) => it.stdout.includes("\n") && it.stderr.includes("\n"));
  assert.match(cli.stdout, /^harness-ws-server listening on ws:\/\/127\.0\.0\.1:\d+ /);
  assert.equal(JSON.parse(cli.stderr.split("\n")[0] ?? "").component, "cli");
  cli.kill("SIGINT");
  assert.equal((await cli.end()).code, 0);
});

Deno.test("serve: a port in use leaves the state directory usable", async () => {
  await using first = await startServer();
  await using dir = await tempDir();
  const address = new URL(first.url).host;
  const args = ["--listen", address, "--state-dir", dir.path, "--log-level", "error"];
  for (const listener of ["deno", "ws"]) {
    const { code, stdout, stderr } = await runCli(["serve", ...args, "--listener", listener]);
    assert.equal(code, 1, stderr);
    assert.equal(stdout, "");
    assertOneLine(stderr, new RegExp(`Cannot listen on ${address}: [^]*--listen`));
  }
});

Deno.test("serve: a second one on the same state exits with 8", async () => {
  await using first = await startServer();
  const args = ["--listen", "127.0.0.1:0", "--state-dir", first.stateDir];
  const { code, stderr } = await runCli(args);
  assert.equal(code, 8, stderr);
  assertOneLine(stderr, new RegExp(`${first.stateDir}.*\\b${first.cli.pid}\\b`));
});

Deno.test("serve: a killed server releases its state directory", async () => {
  await using dir = await tempDir();
  {
    await using first = await startServer([], { stateDir: dir.path });
    first.cli.kill("SIGKILL");
    await first.cli.end();
  }
  await using second = await startServer([], { stateDir: dir.path });
  assert.match(second.url, /^ws:/);
});

Deno.test("serve: refuses an unusable state directory", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/file`, "");
  for (const stateDir of [`${dir.path}/file`, `${dir.path}/file/below`, "/proc/nowhere"]) {
    const { code, stderr } = await runCli(["--listen", "127.0.0.1:0", "--state-dir", stateDir]);
    assert.equal(code, 1, stderr);
    assertOneLine(stderr, new RegExp(`state directory ${stateDir}: .*--state-dir`));
  }
});

Deno.test("serve: refuses state and packages it cannot read", async () => {
  await using dir = await tempDir();
  for (const name of ["registry.json", "registry.journal", "registry.lock"]) {
    const stateDir = `${dir.path}/with-${name}`;
    await Deno.mkdir(`${stateDir}/${name}`, { recursive: true });
    const { code, stderr } = await runCli(["--listen", "127.0.0.1:0", "--state-dir", stateDir]);
    assert.equal(code, 1, stderr);
    assertOneLine(stderr, new RegExp(`${stateDir}.*check its owner.*\\[storage_unavailable\\]`));
  }
  await Deno.writeTextFile(`${dir.path}/file`, "");
  const flags = ["--state-dir", `${dir.path}/state`, "--packages-dir", `${dir.path}/file`];
  const { code, stderr } = await runCli(["--listen", "127.0.0.1:0", ...flags]);
  assert.equal(code, 1, stderr);
  assertOneLine(stderr, /packages directory/);
});

Deno.test("serve: refuses an unreadable state directory", async () => {
  await using dir = await tempDir();
  const stateDir = `${dir.path}/s`;
  await Deno.mkdir(stateDir, { mode: 0o000 });
  try {
    const args = ["--listen", "127.0.0.1:0", "--state-dir", stateDir];
    const { code, stderr } = await runCli(args, { ordinaryRights: true });
    assert.equal(code, 1, stderr);
    assertOneLine(stderr, /\/s: Permission denied; check its owner/);
  } finally {
    await Deno.chmod(stateDir, 0o700);
  }
});

Deno.test("serve: wrong flags, values and config files exit with 2", async () => {
  await using dir = await tempDir();
  const config = `${dir.path}/bad.yaml`;
  await Deno.writeTextFile(config, "listen: 127.0.0.1:0\nstate_dir: /x\n");
  const cases: Array<[string[], RegExp, Record<string, string>?]> = [
    [["--listn", "x"], /unknown option '--listn': did you mean --listen\?/],
    [["--listen", "nonsense"], /--listen: "nonsense" must be host:port/],
    [["serve", "extra"], /too many arguments/],
    [["--durability", "maybe"], /must be one of sync, async/],
    [["--max-connections", "0"], /--max-connections: "0" must be a whole number/],
    [["--max-message-bytes", "1MB"], /must be a size such as/],
    [["--config", config], /bad\.yaml:2:1: unknown key "state_dir", did you mean "state-dir"\?/],
    [["--listen", "0.0.0.0:0"], /with the token from HARNESS_TOKEN: .*--token-file/, {
      HARNESS_TOKEN: "a-token-of-128-bit-at-least",
    }],
    [[], /HARNESS_TOKEN: it has 5 characters, which is less than 128 bit/, {
      HARNESS_TOKEN: "short",
    }],
    [["--allow-unauthenticated"], /--allow-unauthenticated and a token \(HARNESS_SERVER_TOKEN\)/, {
      HARNESS_SERVER_TOKEN: "a-token-of-128-bit-at-least",
    }],
    [["--tls-cert", "x.pem"], /--tls-key is missing/],
    [["--install-root", "opt"], /--install-root: "opt" must be an absolute path/],
    [[], /HARNESS_LOG_LEVEL: "loud" must be one of/, { HARNESS_LOG_LEVEL: "loud" }],
    [[], /HARNESS_ALLOW_UNAUTHENTICATED: "maybe" must be one of/, {
      HARNESS_ALLOW_UNAUTHENTICATED: "maybe",
    }],
  ];
  for (const [args, pattern, env = {}] of cases) {
    const { code, stderr } = await runHere(args, {
      HARNESS_STATE_DIR: dir.path,
      HARNESS_LISTEN: "127.0.0.1:0",
      ...env,
    });
    assert.equal(code, 2, `${args}: ${stderr}`);
    assertOneLine(stderr, pattern);
  }
});

Deno.test("serve: names the unreadable file of a setting", async () => {
  await using dir = await tempDir();
  const missing = `${dir.path}/missing`;
  for (const flag of ["--config", "--token-file"]) {
    const { code, stderr } = await runHere([flag, missing, "--state-dir", dir.path]);
    assert.equal(code, 1, stderr);
    assertOneLine(stderr, new RegExp(`${missing}: there is no such file`));
  }
  const { code, stderr } = await runHere([
    ...["--tls-cert", missing, "--tls-key", missing, "--state-dir", dir.path],
    ...["--log-level", "error"],
  ]);
  assert.equal(code, 1, stderr);
  assertOneLine(stderr, new RegExp(missing));
});

Deno.test("serve: a token is required, and appears nowhere", async () => {
  await using dir = await tempDir();
  const tokenFile = `${dir.path}/token`;
  await Deno.writeTextFile(tokenFile, "very-secret-token-of-operators\n");
  const serverEnv = { HARNESS_READ_TOKEN: "reader-secret-token-of-boards" };
  const flags = ["--token-file", tokenFile, "--log-level", "debug"];
  await using server = await startServer(flags, { env: serverEnv });
  const services = (extra: string[], env: Record<string, string> = {}) =>
    runCli(["services", "--json", "--url", server.url, ...extra], { env });
  const without = await services([]);
  assert.equal(without.code, 1, without.stderr);
  assertOneLine(without.stderr, /\[unauthorized\]$/m);
  const wrong = await services([], { HARNESS_TOKEN: "something-else" });
  assertOneLine(wrong.stderr, /\[unauthorized\]$/m);
  assert.equal((await services(["--token-file", tokenFile])).stdout, "[]\n");
  assert.equal(
    (await services([], { HARNESS_TOKEN: "very-secret-token-of-operators" })).stdout,
    "[]\n",
  );
  const reader = { HARNESS_TOKEN: "reader-secret-token-of-boards" };
  assert.equal((await services([], reader)).stdout, "[]\n");
  const args = ["service", "register", "x", "--version", "1", "--command", "/bin/true"];
  const writing = await runCli([...args, "--url", server.url], { env: reader });
  assert.equal(writing.code, 1);
  assertOneLine(writing.stderr, /\[forbidden\]$/m);
  server.cli.kill("SIGTERM");
  const { stdout, stderr } = await server.cli.end();
  assert.doesNotMatch(stdout + stderr, /secret-token/);
  const argv = await runHere(["serve", "--token", "x"]);
  assert.equal(argv.code, 2);
});

Deno.test("serve: SIGTERM with clients ends in good order", async () => {
  await using server = await startServer();
  const sockets = await Promise.all(Array.from({ length: 5 }, async () => {
    const socket = new WebSocket(server.url);
    const closed = new Promise<number>((resolve) => socket.onclose = (e) => resolve(e.code));
    await new Promise((resolve) => socket.onmessage = resolve);
    return { socket, closed };
  }));
  server.cli.kill("SIGTERM");
  // Over its deadline of 4.8 s it would end with 143.
  assert.equal((await server.cli.end()).code, 0);
  for (const { closed } of sockets) assert.equal(await closed, 1001);
});

Deno.test("serve: registrations survive a restart", async () => {
  await using dir = await tempDir();
  const register = ["service", "register", "db", "--version", "1", "--command", "/bin/db"];
  {
    await using server = await startServer([], { stateDir: dir.path });
    const { code, stdout } = await runCli([...register, "--url", server.url]);
    assert.deepEqual([code, stdout], [0, "db registered\n"]);
    server.cli.kill("SIGTERM");
    await server.cli.end();
  }
  await using server = await startServer([], { stateDir: dir.path });
  assert.match(server.cli.stdout, /, 1 services\)\n$/);
});

Deno.test("serve: TLS, with the authority of --tls-ca", async () => {
  await using dir = await tempDir();
  const [cert, key] = [`${dir.path}/cert.pem`, `${dir.path}/key.pem`];
  await Deno.writeTextFile(cert, TEST_TLS.cert);
  await Deno.writeTextFile(key, TEST_TLS.key);
  const tls = ["--tls-cert", cert, "--tls-key", key];
  for (const listener of ["deno", "ws"]) {
    const env = { HARNESS_TOKEN: "a-token-of-128-bit-at-least" };
    await using server = await startServer([...tls, "--listener", listener], { env });
    const url = server.url.replace("127.0.0.1", "localhost");
    assert.match(url, /^wss:/);
    const run = (...args: string[]) => runCli([...args, "--url", url], { env, cwd: dir.path });
    const distrusted = await run("services");
    assert.equal(distrusted.code, 4, distrusted.stderr);
    assertOneLine(distrusted.stderr, /not trusted \[unreachable\]\n {2}hint: .* --tls-ca$/m);
    const trusted = await run("services", "--json", "--tls-ca", cert);
    assert.deepEqual([trusted.code, trusted.stdout], [0, "[]\n"], trusted.stderr);
    await runCli(["package", "init", `${dir.path}/${listener}`]);
    const built = await runCli(["package", "build", `${dir.path}/${listener}`], { cwd: dir.path });
    assert.equal(built.code, 0, built.stderr);
    const file = `${listener}-0.1.0.tar.gz`;
    const pushed = await run("package", "push", file, "--tls-ca", cert);
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.match(pushed.stdout, new RegExp(`^[0-9a-f]{64} {2}${file}\n$`));
    assert.match(
      (await run("package", "list", "--tls-ca", cert)).stdout,
      new RegExp(`^${listener} `, "m"),
    );
  }
});

/** Upgrades by hand and then never reads or answers. */
async function stuckPeer(url: string): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(url);
  const peer = await Deno.connect({ hostname, port: Number(port) });
  const request = `GET / HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\n` +
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  await peer.write(new TextEncoder().encode(request));
  await peer.read(new Uint8Array(16));
  return peer;
}

Deno.test("serve: a silent peer does not delay the shutdown", async () => {
  for (const listener of ["deno", "ws"]) {
    await using server = await startServer(["--listener", listener]);
    using _peer = await stuckPeer(server.url);
    server.cli.kill("SIGTERM");
    assert.equal((await server.cli.end()).code, 0);
  }
});

Deno.test("serve: a second signal ends it at once with its code", async () => {
  for (const [signal, wanted] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
    await using server = await startServer(["--shutdown-timeout", "10m"]);
    using _peer = await stuckPeer(server.url);
    server.cli.kill("SIGTERM");
    await server.cli.until((it) => it.stderr.includes("Shutting down"));
    server.cli.kill(signal);
    assert.equal((await server.cli.end()).code, wanted);
  }
});

import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { handshakeError } from "../../src/client/decode.ts";
import { notConnected } from "../../src/cli/session/connect_error.ts";
import { hintFor } from "../../src/cli/output/hints.ts";
import { noteOf } from "../../src/cli/output/deployment/progress.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { createController } from "../../src/lifecycle/controller.ts";
import { waitUntilHealthy } from "../../src/lifecycle/health/check.ts";
import { health, Place } from "../lifecycle/fixture.ts";
import { runCli, runHere, startServer } from "../helpers/cli.ts";

/** What a command ends with: arguments, exit code, its error without the program's name, and the hint below. */
type Case = readonly [args: readonly string[], code: number, line: string, hint?: string];

const HELP = (path = "") => `\`harness-ws-server${path} --help\` lists what there is`;

async function check(cases: readonly Case[], env: Record<string, string> = {}): Promise<void> {
  for (const [args, code, line, hint] of cases) {
    const result = await runHere(args, env);
    const lines = result.stderr.trimEnd().split("\n").slice(hint === undefined ? -1 : -2);
    const hinted = hint === undefined ? [] : [`  hint: ${hint}`];
    assert.deepEqual(lines, [`harness-ws-server: ${line}`, ...hinted]);
    assert.deepEqual([result.code, result.stdout], [code, ""], `${args}`);
  }
}

Deno.test("usage: an error suggests what was meant, and the help", async () => {
  const usage = (text: string, path?: string) => `${text} ${HELP(path)} [invalid_params]`;
  await check([
    [["servcies"], 2, usage("unknown command 'servcies': did you mean services?")],
    [["logs", "x"], 2, usage("unknown command 'logs': did you mean service logs?")],
    [["status"], 2, usage("unknown command 'status': did you mean services?")],
    [["version"], 2, usage("unknown command 'version': did you mean --version?")],
    [["qqqqqqqq"], 2, usage("unknown command 'qqqqqqqq';")],
    [["help", "nosuch"], 2, usage("unknown command 'nosuch';")],
    [
      ["help", "service", "strat"],
      2,
      usage("unknown command 'strat': did you mean start?", " service"),
    ],
    [
      ["deployments", "shwo", "d-1"],
      2,
      usage("unknown command 'shwo': did you mean show?", " deployments"),
    ],
    [
      ["services", "--token", "x"],
      2,
      usage("unknown option '--token': did you mean --token-file?", " services"),
    ],
    [
      ["serve", "--port", "8080"],
      2,
      usage("unknown option '--port': did you mean --listen?", " serve"),
    ],
    [["endpoints", "--port", "1"], 2, usage("unknown option '--port';", " endpoints")],
    [
      ["services", "--jsn"],
      2,
      usage("unknown option '--jsn': did you mean --json?", " services"),
    ],
    [
      ["service", "get"],
      2,
      usage("missing required argument 'name';", " service get"),
    ],
    [
      ["service", "register", "a", "--version", "--command", "x"],
      2,
      usage("option '--version <version>' argument missing;", " service register"),
    ],
    [
      ["services", "--timeout", "0s"],
      2,
      'Cannot use --timeout: "0s" must be more than 0 [invalid_params]',
    ],
    [
      ["services", "--url", "localhost:8080"],
      2,
      'Cannot use --url: "localhost:8080" must be a URL such as ws://127.0.0.1:8080 ' +
      "or wss://host:port [invalid_params]",
    ],
    [
      ["service", "register", "x", "--label", "a=b", "--label", "=c"],
      2,
      'Cannot use --label: "=c" must be key=value [invalid_params]',
    ],
    [
      ["service", "register", "x", "--ttl", "5ms"],
      2,
      'Cannot use --ttl: "5ms" must be 100ms to 24h [invalid_params]',
    ],
    [
      ["serve", "--ping-interval", "48h"],
      2,
      'Cannot use --ping-interval: "48h" must not be more than 24h [invalid_params]',
    ],
    [
      ["package", "build", ".", "--version", "x"],
      2,
      'Cannot use --version: "x" must be a SemVer version such as 1.2.3 or 1.2.3-rc.1 ' +
      "[invalid_params]",
    ],
  ]);
  const { code, stdout } = await runHere(["help", "service", "get"]);
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: harness-ws-server service get /);
});

Deno.test("files: an error names the flag or variable", async () => {
  const dir = await Deno.makeTempDir({ prefix: "harness-messages-" });
  try {
    const missing = `${dir}/missing`;
    const config = `${dir}/config.yaml`;
    await Deno.writeTextFile(config, `log-level: error\ntoken-file: ${missing}\n`);
    await Deno.writeTextFile(`${dir}/empty.tar.gz`, "");
    const none = (place: string) =>
      `Cannot read ${place} ${missing}: there is no such file, correct the path [not_found]`;
    const deploy = ["deploy", "x-1.0.0.tar.gz", "--local"];
    await check([
      [["services", "--token-file", missing], 1, none("--token-file")],
      [["services", "--tls-ca", missing], 1, none("--tls-ca")],
      [[...deploy, "--hosts-file", missing], 1, none("--hosts-file")],
      [[...deploy, "--env-file", missing], 1, none("--env-file")],
      [[...deploy, "--secret-file", `A=${missing}`], 1, none("--secret-file")],
      [["deployments", "resume", "d", "--secret-file", `A=${missing}`], 1, none("--secret-file")],
      [["service", "register", "--file", missing], 1, none("--file")],
      [["serve", "--config", missing], 1, none("--config")],
      [["serve", "--config", config], 1, none(`${config}:2: token-file`)],
      [["serve", "--tls-cert", missing, "--tls-key", missing], 1, none("--tls-cert")],
      [["package", "sign", "x", "--key", missing], 1, none("--key")],
      [["deploy", missing, "--local"], 1, none("the package")],
      [
        ["rollback", "x", "--host", "h", "--direct", "--identity", missing],
        1,
        none("--identity"),
      ],
      [
        ["rollback", "x", "--host", "h", "--direct", "--ssh-config", missing],
        1,
        none("--ssh-config"),
      ],
      [
        ["services", "--token-file", dir],
        1,
        `Cannot read --token-file ${dir}: it is a directory, name a file [forbidden]`,
      ],
      [
        ["services", "--tls-ca", config],
        2,
        `Cannot use --tls-ca ${config}: it is no certificate authority in PEM form [invalid_params]`,
      ],
      [
        ["package", "sign", "x", "--key", config],
        2,
        "Cannot read the secret key: it is not in minisign's format [invalid_params]",
        `the key is in --key ${config}; \`harness-ws-server package keygen\` makes a pair`,
      ],
      [
        ["package", "verify", `${dir}/empty.tar.gz`],
        1,
        "Cannot accept the package: the gzip file ends too early [package_invalid]",
        `the package is ${dir}/empty.tar.gz`,
      ],
      [
        ["package", "build", dir],
        1,
        `Cannot accept the package: there is no manifest.yaml in ${dir} [package_invalid]`,
        "`harness-ws-server package init` writes a directory to start from",
      ],
    ], { HARNESS_STATE_DIR: `${dir}/state` });
    await check([[["services"], 1, none("HARNESS_TOKEN_FILE")]], { HARNESS_TOKEN_FILE: missing });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("errors of the server: a hint names the flag or command", async () => {
  await using server = await startServer();
  const dir = await Deno.makeTempDir({ prefix: "harness-messages-" });
  try {
    const entry = `${dir}/entry.json`;
    await Deno.writeTextFile(entry, '{"name":"y","execution":{"type":"managed"}}');
    const register = ["service", "register", "a", "--version", "1", "--command", "/bin/true"];
    assert.equal((await runHere(register, { HARNESS_URL: server.url })).code, 0);
    const unknown = (args: string[]): Case => [
      args,
      1,
      'Cannot find service "nope": it is not registered [not_found]',
      "`harness-ws-server services` lists the services",
    ];
    await check([
      ...["get", "start", "stop", "logs", "deregister"].map((it) =>
        unknown(["service", it, "nope"])
      ),
      unknown(["resolve", "nope"]),
      unknown(["rollback", "nope"]),
      ...["show", "follow", "cancel", "resume"].map((it): Case => [
        ["deployments", it, "d-x"],
        1,
        'Cannot find deployment "d-x": there is none of this id, or it is no longer kept [not_found]',
        "`harness-ws-server deployments` lists the deployments",
      ]),
      [
        register,
        1,
        'Cannot register "a": it is already registered; replace it or choose another id ' +
        "[already_exists]",
        "add --replace to change the entry",
      ],
      [
        ["service", "stop", "a"],
        1,
        'Cannot stop "a": it was never started [invalid_transition]',
        "`harness-ws-server service start a` starts it",
      ],
      [
        ["service", "register", "a/b", "--version", "1", "--command", "x"],
        2,
        "Cannot run register_service: params.service.name must be letters, digits, '.', '_' and " +
        "'-', beginning with a letter or digit [invalid_params]",
        "check the name argument",
      ],
      [
        [...register, "--endpoint", "http=http://nowhere"],
        2,
        "Cannot run register_service: params.service.endpoints.0.address must be host:port, with " +
        "an IPv6 host in brackets and a port from 1 to 65535 [invalid_params]",
        "check --endpoint",
      ],
      [
        ["service", "register", "--file", entry],
        2,
        "Cannot run register_service: params.service.version is missing; " +
        "params.service.execution.type must be one of managed_process, docker_container, " +
        "systemd_service, systemd_portable [invalid_params]",
        `the entry is in --file ${entry}`,
      ],
      [
        ["deploy", "nosuch@1.0.0", "--local"],
        1,
        'Cannot find the package "nosuch@1.0.0": it was not uploaded to this server [not_found]',
        "there is no such file here; `harness-ws-server package list` lists the server's packages",
      ],
    ], { HARNESS_URL: server.url });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("hintFor: by code and details, whatever the message", () => {
  const lost = { outcome: "unknown", action: "list_services" };
  assert.equal(hintFor({ code: "timeout", details: lost }), "allow more time with --timeout");
  assert.equal(hintFor({ code: "timeout" }), null);
  assert.equal(hintFor({ code: "internal", details: { reason: "tls" } }), null);
  const started = { id: "s", from: "running", to: "starting", allowed: [] };
  assert.equal(
    hintFor({ code: "invalid_transition", details: started }),
    "`harness-ws-server service restart s` restarts it",
  );
  const fields = (...paths: string[]) =>
    hintFor({ code: "invalid_params", details: { issues: paths.map((path) => ({ path })) } });
  assert.equal(fields("params.strategy.canary", "params.env.A"), "check --canary and --env");
  assert.equal(fields("params.service.execution.args.0", "ttl_ms"), "check --arg and --ttl");
  assert.equal(fields("params.nosuch"), null);
});

/** What is said of a service that runs, and whose health check says `said` and fails. */
async function unhealthy(said: string): Promise<string> {
  await using place = new Place();
  Deno.writeTextFileSync(place.path("said"), said);
  const script = place.script("check", `#!/bin/sh\ncat ${place.path("said")}\nexit 2\n`);
  const spec = place.shell("api", "while :; do sleep 0.2; done", {
    health: health({ type: "script", script }),
  });
  await using executor = localExecutor();
  const controller = createController(executor, spec, { systemd: false });
  await controller.start();
  try {
    const error = await rejection(waitUntilHealthy(executor, spec, { timeoutMs: 0 }));
    assert.match(error.message, /not healthy within/);
    assert(error.message.includes(said), error.message);
    return error.message;
  } finally {
    await controller.stop();
  }
}

async function rejection(work: Promise<unknown>): Promise<HarnessError> {
  const error = await work.then(() => null, (error) => error);
  assert(error instanceof HarnessError, `${error}`);
  return error;
}

Deno.test("messages: text of a service is never changed", async () => {
  const line = "Error: ENOENT: no such file or directory, open '/etc/api/config.json'";
  const last =
    `Cannot start api on local: it exited with code 1 at once; its last line was: ${line}`;
  const check = await unhealthy(line);
  const denied =
    "Permission denied (os error 13): open '/etc/api/key'; list_services shows what is";
  const refused = await unhealthy("this token may only read");
  for (const code of ["unavailable", "timeout", "deploy_failed", "internal"] as const) {
    for (const message of [last, check, refused, `${last} ${denied}`, `${check} ${denied}`]) {
      const progress = { deployment_id: "d-1", service: "api", host: "web1", at: "" };
      const error = { code, message };
      assert.equal(noteOf({ ...progress, step: "start", status: "failed", error }), message);
    }
  }
  await using server = await startServer();
  const env = { HARNESS_URL: server.url };
  const register = ["service", "register", "api", "--version", "1", "--command", "/bin/sh"];
  const script = `echo "${line}" >&2; exit 1`;
  assert.equal((await runHere([...register, "--arg=-c", "--arg", script], env)).code, 0);
  const started = await runHere(["service", "start", "api"], env);
  assert.equal(started.code, 1);
  assert(started.stderr.endsWith(`; its last line was: ${line} [unavailable]\n`), started.stderr);
});

Deno.test("tokens: a hint for one missing, wrong or read-only", async () => {
  const dir = await Deno.makeTempDir({ prefix: "harness-messages-" });
  try {
    await Deno.writeTextFile(`${dir}/full`, "full-token-of-128-bit-at-least\n");
    await Deno.writeTextFile(`${dir}/read`, "read-token-of-128-bit-at-least\n");
    await Deno.writeTextFile(`${dir}/bad`, "bad-token-1234\n");
    const tokens = ["--token-file", `${dir}/full`, "--read-token-file", `${dir}/read`];
    await using server = await startServer(tokens);
    const { url } = server;
    const refused =
      `Cannot connect to ${url}/: HTTP status 401; the token is missing or not valid ` +
      "[unauthorized]";
    const register = ["service", "register", "a", "--version", "1", "--command", "x"];
    const env = { HARNESS_URL: url };
    await check([
      [
        ["services"],
        1,
        refused,
        "give a token with --token-file or HARNESS_TOKEN",
      ],
      [
        ["services", "--token-file", `${dir}/bad`],
        1,
        refused,
        `the token came from --token-file ${dir}/bad; give one that the server accepts`,
      ],
      [
        [...register, "--token-file", `${dir}/read`],
        1,
        "Cannot run register_service: this token is read-only [forbidden]",
        "give the full token with --token-file or HARNESS_TOKEN",
      ],
    ], env);
    await check([[
      ["services"],
      1,
      refused,
      "the token came from HARNESS_TOKEN; give one that the server accepts",
    ]], { ...env, HARNESS_TOKEN: "bad-token-1234" });
    const secure = url.replace("ws:", "wss:");
    await check([[
      ["services", "--url", secure],
      4,
      `Cannot connect to ${secure}/: the server does not use TLS [unreachable]`,
      "write its --url with ws:// instead of wss://",
    ]]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("serve: a hint for an address of another machine", async () => {
  const stateDir = await Deno.makeTempDir({ prefix: "harness-messages-" });
  try {
    for (const listener of ["deno", "ws"]) {
      // 192.0.2.0/24 is for documentation: no machine has an address of it.
      const args = ["--listen", "192.0.2.1:7001", "--allow-unauthenticated"];
      const rest = ["--listener", listener, "--state-dir", stateDir];
      const { code, stderr } = await runCli(["serve", ...args, ...rest]);
      assert.equal(
        stderr,
        "harness-ws-server: Cannot listen on 192.0.2.1:7001: this machine has no such address " +
          "[unavailable]\n  hint: give an address of this machine with --listen: 127.0.0.1 for " +
          "this machine alone, 0.0.0.0 for all\n",
      );
      assert.equal(code, 1);
    }
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

Deno.test("errors: with --json also JSON on stdout", async () => {
  const error = async (args: string[], env: Record<string, string> = {}) => {
    const { code, stdout, stderr } = await runHere(args, env);
    const { error } = JSON.parse(stdout);
    assert.equal(stderr.split("\n")[0], `harness-ws-server: ${error.message} [${error.code}]`);
    return [code, error.code, error.retryable];
  };
  const nobody = ["--url", "ws://127.0.0.1:9"];
  assert.deepEqual(await error(["services", "--json", ...nobody]), [4, "unreachable", true]);
  assert.deepEqual(await error(["services", "--json", "--x"]), [2, "invalid_params", false]);
  assert.deepEqual(await error(["deploy", "--json"]), [2, "invalid_params", false]);
  assert.deepEqual(
    await error(["package", "inspect", "/nonexistent", "--json"]),
    [1, "not_found", false],
  );
  assert.deepEqual(
    await error(["services", "--json"], { HARNESS_TIMEOUT: "soon" }),
    [2, "invalid_params", false],
  );
  // The value of another flag is no --json.
  const { stdout } = await runHere(["service", "register", "x", "--arg", "--json"]);
  assert.equal(stdout, "");
});

Deno.test("errors: one line when stdout cannot be written", async () => {
  for (const args of ["package build --help", "package inspect /nonexistent --json"]) {
    const script = `"$0" run -A --quiet "$1" ${args} >/dev/full`;
    const main = new URL("../../src/cli/main.ts", import.meta.url).pathname;
    const { code, stderr } = await new Deno.Command("sh", {
      args: ["-c", script, Deno.execPath(), main],
    }).output();
    const lines = new TextDecoder().decode(stderr).trimEnd().split("\n");
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(
      lines[0] ?? "",
      args.endsWith("--json")
        ? /^harness-ws-server: Cannot read the package .* \[not_found\]$/
        : /^harness-ws-server: Cannot write the output: no space left on the device; make room, or send it elsewhere \[storage_unavailable\]$/,
    );
    assert.equal(code, 1);
  }
});

Deno.test("notConnected: a hint for each reason of the client", () => {
  const url = "wss://h:1";
  const said = (text: string) => {
    const error = handshakeError(url, { code: 1006, reason: text });
    const shown = notConnected(error, null) as HarnessError;
    const [why] = shown.message.split(`Cannot connect to ${url}: `).slice(-1);
    return [why, hintFor(shown)];
  };
  const start =
    "start one with `harness-ws-server serve`, or name another with --url or HARNESS_URL";
  const stack = "NetworkError: failed to connect to WebSocket: ";
  assert.deepEqual(said(`${stack}tcp connect error`), [
    "connection refused",
    start,
  ]);
  assert.deepEqual(said(`${stack}dns error`), ["unknown host", start]);
  assert.deepEqual(said("status code 503"), [
    "HTTP status 503; the server is full or shutting down",
    null,
  ]);
  assert.deepEqual(
    said(`${stack}invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))`),
    [
      "the server's certificate is a CA certificate",
      "give it one that is not an authority (CA:FALSE), and the authority as --tls-ca",
    ],
  );
  assert.deepEqual(said(`${stack}invalid peer certificate: UnknownIssuer`), [
    "the server's certificate is not trusted",
    "if it is your own, give its authority with --tls-ca",
  ]);
  assert.deepEqual(said("something new"), ["something new", start]);
});

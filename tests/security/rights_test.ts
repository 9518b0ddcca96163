/** D1: who may do what and with the real program and a second user of the machine. */
import assert from "node:assert/strict";
import { Registry } from "../../src/registry/registry.ts";
import { type Action, ACTION_NAMES } from "../../src/protocol/actions.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { PackageStore } from "../../src/server/packages/package_store.ts";
import { runCli, RunningCli, startServer as startCliServer } from "../helpers/cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import type { DocumentStore } from "../../src/server/backends.ts";
import { VouchedEntries } from "../../src/server/access/vouched_entries.ts";
import { eventually, RawClient } from "../helpers/raw_client.ts";
import { RawSocket } from "../helpers/raw_socket.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";

const TOKEN = "a-token-of-128-bit-at-least";

const AUTH = {
  tokens: [TOKEN],
  anonymous: "registry",
  tokenFile: "/var/lib/harness/token",
} as const;

/** Valid params of every action that takes some. */
const PARAMS: Partial<Record<Action, unknown>> = {
  get_service: { name: "api" },
  register_service: { service: service("x") },
  update_service: { name: "api", version: "2" },
  heartbeat: { name: "api" },
  service_action: { name: "api", action: "start" },
  resolve_endpoint: { service: "api" },
  get_dependencies: { name: "api" },
  service_logs: { name: "api" },
  deploy_package: { package: "a-1.0.0.tar.gz", target: "local" },
  get_deployment: { deployment_id: "d-1" },
  cancel_deployment: { deployment_id: "d-1" },
  rollback_service: { name: "api" },
  resume_deployment: { deployment_id: "d-1" },
  deregister_service: { name: "x" },
};

for (const listener of LISTENERS) {
  Deno.test(`rights: ${listener} without a token edits the registry`, async () => {
    await using running = await startServer({ listener, auth: AUTH });
    await running.registry.register(service("api", { ttl_ms: 60_000 }));
    await using client = await RawClient.connect(running.url);
    assert.deepEqual((await client.next())["data"].capabilities, ["write"]);
    const refused: string[] = [];
    for (const action of ACTION_NAMES) {
      const response = await client.request(action, PARAMS[action] ?? {});
      const error = response["error"];
      if (error?.code !== "unauthorized") continue;
      refused.push(action);
      assert.match(
        error.message,
        /send this server's token, which is in \/var\/lib\/harness\/token/,
      );
      assert.deepEqual([error.retryable, error.details.token_file], [false, AUTH.tokenFile]);
    }
    assert.deepEqual(refused.toSorted(), [
      "cancel_deployment",
      "deploy_package",
      "resume_deployment",
      "rollback_service",
      "service_action",
      "service_logs",
    ]);
    const logs = { events: ["service_log"], services: ["api"] };
    assert.equal((await client.fail("subscribe", logs))["code"], "unauthorized");
  });

  Deno.test(`rights: ${listener} packages need a token, a list none`, async () => {
    await using dir = await tempDir();
    const packages = await PackageStore.open(`${dir.path}/packages`, { inspect: null });
    await Deno.writeTextFile(`${dir.path}/packages/a-1.0.0.tar.gz`, "x");
    await using running = await startServer({ listener, auth: AUTH, packages });
    const ask = async (method: string, path: string, headers: HeadersInit = {}) => {
      const body = method === "PUT" ? { body: "x" } : {};
      const response = await fetch(`${running.http}${path}`, { method, headers, ...body });
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await ask("GET", "/packages/"), 200);
    for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
      assert.equal(await ask(method, "/packages/a-1.0.0.tar.gz"), 401, method);
    }
    const bearer = { authorization: `Bearer ${TOKEN}` };
    assert.equal(await ask("GET", "/packages/a-1.0.0.tar.gz", bearer), 200);
    assert.equal(await ask("DELETE", "/packages/a-1.0.0.tar.gz", bearer), 204);
  });

  Deno.test(`rights: ${listener} proxy, wrong token: not anonymous`, async () => {
    const auth = { ...AUTH, allowHosts: ["harness.example.org", "192.0.2.1"] };
    await using running = await startServer({ listener, auth });
    const { port } = running.server;
    const cases: Array<[Record<string, string>, number]> = [
      [{}, 101],
      // A proxy or tunnel that adds no header, but keeps the name that clients use.
      [{ host: "harness.example.org" }, 401],
      [{ host: "harness.example.org", authorization: `Bearer ${TOKEN}` }, 101],
      [{ host: `192.0.2.1:${port}` }, 401],
      [{ host: "dev.localhost:1" }, 101],
      [{ "x-forwarded-for": "203.0.113.9" }, 401],
      [{ forwarded: "for=203.0.113.9" }, 401],
      [{ via: "1.1 proxy" }, 401],
      [{ "x-real-ip": "203.0.113.9" }, 401],
      [{ "x-forwarded-server": "proxy" }, 401],
      [{ "x-client-ip": "203.0.113.9" }, 401],
      [{ "cf-connecting-ip": "203.0.113.9" }, 401],
      [{ "x-forwarder": "no proxy's" }, 101],
      [{ "x-forwarded-for": "203.0.113.9", authorization: `Bearer ${TOKEN}` }, 101],
      [{ authorization: "Bearer wrong" }, 401],
      [{ authorization: "Bearer" }, 401],
    ];
    for (const [headers, status] of cases) {
      using socket = await RawSocket.open({ port, headers });
      assert.equal(socket.status, status, JSON.stringify(headers));
    }
  });

  Deno.test(`rights: ${listener} on all addresses needs a token`, async () => {
    await using running = await startServer({ listener, auth: AUTH, hostname: "0.0.0.0" });
    const { port } = running.server;
    using without = await RawSocket.open({ port });
    assert.equal(without.status, 401);
    using withToken = await RawSocket.open({ port, headers: { authorization: `Bearer ${TOKEN}` } });
    assert.equal(withToken.status, 101);
  });
}

Deno.test("rights: no anonymous client changes what the server runs", async () => {
  const registry = await Registry.open(new MemoryStore());
  for (const name of ["web", "free"]) {
    await registry.register(service(name, { ttl_ms: 60_000 }));
  }
  const unused = () => Promise.reject(new Error("not asked for here"));
  const services = {
    act: unused,
    logs: unused,
    async *follow() {},
    ownership: {
      manages: (id: string) => id === "web",
      managesName: (name: string) => name === "web",
    },
  };
  await using running = await startServer({ listener: "deno", auth: AUTH, registry, services });
  await using client = await RawClient.ready(running.url);
  const attempts: Array<[string, unknown]> = [
    ["register_service", { service: service("web"), replace: true }],
    ["register_service", { service: service("web", { id: "web@evil" }) }],
    ["register_service", { service: service("other", { id: "web" }), replace: true }],
    ["update_service", { name: "web", version: "9" }],
    ["update_service", { name: "web", depends_on: ["evil"] }],
    ["deregister_service", { name: "web" }],
    ["heartbeat", { name: "web" }],
  ];
  for (const [action, params] of attempts) {
    const error = await client.fail(action, params);
    assert.equal(error["code"], "unauthorized", `${action} ${JSON.stringify(params)}`);
  }
  assert.equal(registry.get("web").revision, 1);
  await client.call("heartbeat", { name: "free" });
  await client.call("update_service", { name: "free", version: "9" });
  await client.call("deregister_service", { name: "free" });
  await registry.close();
});

Deno.test("rights: nobody takes the place of a removed entry", async () => {
  const registry = await Registry.open(new MemoryStore());
  const documents = new Map<string, unknown>();
  const store: DocumentStore = {
    list: () => Promise.resolve([...documents].map(([id, value]) => ({ id, value }))),
    put: (_, id, value) => Promise.resolve(void documents.set(id, structuredClone(value))),
    remove: () => Promise.resolve(),
  };
  const run = (...args: string[]) => ({
    execution: { type: "managed_process", command: "/bin/sh", args, pid: null } as const,
  });
  const own = service("db", { id: "db@h1", ...run("-c", "mine") });
  for (const restarted of [false, true]) {
    await using vouched = await VouchedEntries.load(store);
    await using running = await startServer({ listener: "deno", auth: AUTH, registry, vouched });
    await using other = await RawClient.ready(running.url);
    const headers = { authorization: `Bearer ${TOKEN}` };
    await using operator = await RawClient.ready(running.url, { headers });
    if (!restarted) {
      await operator.call("register_service", { service: own });
      await other.call("deregister_service", { name: "db" });
      assert.equal(vouched.has("db@h1"), false);
    }
    const posing = [
      service("db", { id: "db@h1", ...run("-c", "evil") }),
      service("db", { ...run("-c", "evil") }),
      service("x", { id: "db", ...run("-c", "evil") }),
      service("x", { id: "db@h1", ...run("-c", "evil") }),
      service("db", {
        ...run("-c", "mine"),
        location: { type: "remote", host: "h", ssh_user: "u", ssh_port: null },
      }),
    ];
    for (const evil of posing) {
      const error = await other.fail("register_service", { service: evil });
      assert.equal(error["code"], "unauthorized", JSON.stringify(evil));
    }
    if (!restarted) continue;
    // What it was may come back, and is what it was; with the token, anything may.
    await other.call("register_service", { service: own });
    assert.equal(vouched.has("db@h1"), true);
    await operator.call("deregister_service", { name: "db" });
    await other.call("register_service", { service: posing[0] });
    assert.equal(vouched.has("db@h1"), false);
  }
  await registry.close();
});

Deno.test("rights: a replacement is checked against what it replaces", async () => {
  const memory = new MemoryStore();
  const gate = Promise.withResolvers<void>();
  const commit = memory.commit.bind(memory);
  let first = true;
  memory.commit = async (change) => {
    if (first) {
      first = false;
      await gate.promise;
    }
    await commit(change);
  };
  const registry = await Registry.open(memory);
  const vouched = await VouchedEntries.load();
  await using running = await startServer({ listener: "deno", auth: AUTH, registry, vouched });
  await using other = await RawClient.ready(running.url);
  const headers = { authorization: `Bearer ${TOKEN}` };
  await using operator = await RawClient.ready(running.url, { headers });
  // While the operator's registration is on its way to the disk, there is nothing to be seen of it.
  const registered = operator.call("register_service", { service: service("db") });
  await eventually(() => !first, "it is on its way");
  const evil = service("db", { execution: { type: "systemd_service", unit_name: "evil.service" } });
  const replaced = other.request("register_service", { service: evil, replace: true });
  await other.call("list_services", {});
  gate.resolve();
  await registered;
  assert.equal((await replaced)["error"]?.code, "unauthorized");
  assert.equal(registry.get("db").execution.type, "managed_process");
  await registry.close();
});

Deno.test("rights: the CLI of the same user needs no flag", async () => {
  await using dir = await tempDir();
  for (const env of [{ XDG_RUNTIME_DIR: dir.path }, { HARNESS_STATE_DIR: `${dir.path}/state` }]) {
    await using server = await startCliServer([], { stateDir: `${dir.path}/state`, env });
    const source = `Token: ${dir.path}/state/token, made by this server`;
    await server.cli.until((it) => it.stderr.includes(source));
    assert.doesNotMatch(
      server.cli.stdout + server.cli.stderr,
      new RegExp((await Deno.readTextFile(`${dir.path}/state/token`)).trim()),
    );
    for (const url of [server.url, server.url.replace("127.0.0.1", "localhost")]) {
      const start = await runCli(["service", "start", "nothing", "--url", url], { env });
      assert.match(start.stderr, /\[not_found\]/, start.stderr);
    }
    server.cli.kill("SIGTERM");
    await server.cli.end();
  }
  const left = await Array.fromAsync(Deno.readDir(`${dir.path}/harness-ws-server`));
  assert.deepEqual(left, [], "the files of servers that have ended are gone");
});

Deno.test("rights: no token is sent to the address of a dead server", async () => {
  await using dir = await tempDir();
  const env = { XDG_RUNTIME_DIR: dir.path, HARNESS_STATE_DIR: `${dir.path}/state` };
  const server = await startCliServer([], { stateDir: `${dir.path}/state`, env });
  const port = Number(new URL(server.url).port);
  await server.cli[Symbol.asyncDispose](); // SIGKILL
  const stale = await Deno.readTextFile(`${dir.path}/harness-ws-server/127.0.0.1_${port}.json`);
  assert.equal(
    JSON.parse(stale).token,
    (await Deno.readTextFile(`${dir.path}/state/token`)).trim(),
  );
  const seen: Array<string | null> = [];
  await using _ = Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, (request) => {
    seen.push(request.headers.get("authorization"));
    return new Response(null, { status: 404 });
  });
  await runCli(["services", "--url", server.url], { env });
  assert.ok(seen.length > 0);
  assert.deepEqual(seen.filter((value) => value !== null), []);
  // The next server of this user clears it away.
  await using next = await startCliServer([], { stateDir: `${dir.path}/state`, env });
  const own = `127.0.0.1_${new URL(next.url).port}.json`;
  await eventually(async () => {
    const files = await Array.fromAsync(Deno.readDir(`${dir.path}/harness-ws-server`));
    return files.length === 1 && files[0]?.name === own;
  }, "the file of the dead server is gone");
});

Deno.test("rights: a made token that others could know is not used", async () => {
  await using dir = await tempDir();
  const file = `${dir.path}/token`;
  const good = "x".repeat(43) + "\n";
  const cases: Array<[string, () => Promise<unknown>]> = [
    ["mode 0644", () => Deno.writeTextFile(file, good, { mode: 0o644 })],
    ["symbolic link", async () => {
      await Deno.writeTextFile(`${dir.path}/elsewhere`, good, { mode: 0o600 });
      await Deno.symlink(`${dir.path}/elsewhere`, file);
    }],
    ["not a file", () => Deno.mkdir(file)],
    ["less than 128 bit", () => Deno.writeTextFile(file, "short\n", { mode: 0o600 })],
    ...(Deno.uid() === 0
      ? [["belongs to user 65534", async () => {
        await Deno.writeTextFile(file, good, { mode: 0o600 });
        await Deno.chown(file, 65534, 65534);
      }] as [string, () => Promise<unknown>]]
      : []),
  ];
  for (const [why, make] of cases) {
    await make();
    const { code, stderr } = await runCli([
      ...["--listen", "127.0.0.1:0", "--state-dir", dir.path],
    ]);
    assert.notEqual(code, 0);
    assert.match(stderr, new RegExp(`Cannot use the token .*${why}`));
    await Deno.remove(file, { recursive: true });
  }
  // Two starts at once make one token.
  const starts = [0, 1].map(() =>
    new RunningCli(["--listen", "127.0.0.1:0", "--state-dir", dir.path])
  );
  await Promise.any(starts.map((cli) => cli.until((it) => it.stdout.includes("\n"))));
  assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
  assert.match(await Deno.readTextFile(file), /^[A-Za-z0-9_-]{43}\n$/);
  for (const cli of starts) await cli[Symbol.asyncDispose]();
});

Deno.test("rights: a client's variable does not open an address (F14)", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/t`, TOKEN);
  const env = { HARNESS_TOKEN_FILE: `${dir.path}/t` };
  const open = await runCli(["--listen", "0.0.0.0:0", "--state-dir", dir.path], { env });
  assert.equal(open.code, 2, open.stdout);
  assert.match(open.stderr, /with the token from HARNESS_TOKEN_FILE .*for client commands/);
  await using server = await startCliServer([], { env });
  const source = /Token: HARNESS_TOKEN_FILE .*, which client commands read too/;
  await server.cli.until((it) => source.test(it.stderr));
  using without = await RawSocket.open({ port: Number(new URL(server.url).port) });
  assert.equal(without.status, 401);
});

/** Named tokens: what they may do, on which services, until when, and what a SIGHUP changes. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type Action, ACTION_NAMES } from "../../src/protocol/actions.ts";
import type { NamedToken } from "../../src/server/access/tokens.ts";
import { PackageStore } from "../../src/server/packages/package_store.ts";
import { runCli, runHere, startServer as startCliServer } from "../helpers/cli.ts";
import { eventually, RawClient } from "../helpers/raw_client.ts";
import { RawSocket } from "../helpers/raw_socket.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";

const FULL = "full-token-of-128-bit-at-least";
const WEB = "web-token-of-128-bit-at-least";
const headersOf = (token: string) => ({ authorization: `Bearer ${token}` });
const sha256 = (token: string) => createHash("sha256").update(token).digest("hex");
const line = (name: string, token: string, more = "rights: full") =>
  `- {name: ${name}, hash: "sha256:${sha256(token)}", ${more}}\n`;
const web = (more: Partial<NamedToken> = {}): NamedToken => ({
  name: "web-team",
  sha256: sha256(WEB),
  rights: "full",
  services: ["web", "web-*"],
  ...more,
});

/** Params of each action that names a service, deployment or package, all of them outside. */
const OUTSIDE: Array<[Action, unknown]> = [
  ["get_service", { name: "db" }],
  ["get_service", { name: "db@h1" }],
  ["get_service", { name: "not-there" }],
  ["get_service", { name: "web-alias" }], // the id of an instance of db
  ["register_service", { service: service("db2") }],
  ["register_service", { service: service("db", { id: "web-x" }) }],
  ["register_service", { service: service("web", { id: "db" }), replace: true }],
  ["register_service", { service: service("web", { id: "other@h9" }) }],
  ["register_service", { service: service("web", { id: "web-alias" }), replace: true }],
  ["update_service", { name: "db@h1", version: "9" }],
  ["update_service", { name: "web-alias", version: "9" }],
  ["deregister_service", { name: "db" }],
  ["heartbeat", { name: "db" }],
  ["service_action", { name: "db", action: "start" }],
  ["resolve_endpoint", { service: "db" }],
  ["get_dependencies", { name: "db" }],
  ["service_logs", { name: "db" }],
  ["deploy_package", { package: "db-1.0.0.tar.gz", target: "local" }],
  ["deploy_package", { package: "db@1.0.0", target: "local" }],
  ["deploy_package", { package: "not-there.tar.gz", target: "local" }],
  ["get_deployment", { deployment_id: "d-db" }],
  ["cancel_deployment", { deployment_id: "d-db" }],
  ["resume_deployment", { deployment_id: "d-db" }],
  ["rollback_service", { name: "db" }],
  ["subscribe", { services: ["web", "db"] }],
  ["subscribe", { events: ["service_log"], services: ["web-alias"] }],
];

/** Backends that a limited token must not get through to with another's service. */
function backends(calls: string[]) {
  const called = (what: string) => () => {
    calls.push(what);
    return Promise.reject(new Error(what));
  };
  const deployment = (service: string) => ({
    deployment_id: `d-${service}`,
    package: `${service}-1.0.0.tar.gz`,
    service,
    version: "1.0.0",
    kind: "deploy" as const,
    status: "succeeded" as const,
    started_at: "2026-01-01T00:00:00.000Z",
    finished_at: "2026-01-01T00:00:00.000Z",
    hosts: [],
  });
  return {
    services: { act: called("act"), logs: called("logs"), async *follow() {} },
    deployments: {
      deploy: called("deploy"),
      cancel: called("cancel"),
      resume: called("resume"),
      rollback: called("rollback"),
      get: ({ deployment_id }: { deployment_id: string }) =>
        Promise.resolve(deployment(deployment_id.slice(2))),
      list: () => Promise.resolve(["db", "web", "db", "web-2"].map(deployment)),
    },
  };
}

for (const listener of LISTENERS) {
  Deno.test(`tokens: a ${listener} token is limited to its services`, async () => {
    await using dir = await tempDir();
    const packages = await PackageStore.open(`${dir.path}/packages`, { inspect: null });
    for (const file of ["db-1.0.0.tar.gz", "web-1.0.0.tar.gz"]) {
      await Deno.writeTextFile(`${dir.path}/packages/${file}`, "x");
    }
    const calls: string[] = [];
    const auth = { namedTokens: [web()] };
    await using running = await startServer({ listener, auth, packages, ...backends(calls) });
    const { registry } = running;
    const more = { depends_on: ["db"], ttl_ms: 60_000 };
    await registry.register(service("db"));
    await registry.register(service("db", { id: "db@h1" }));
    await registry.register(service("db", { id: "web-alias" }));
    await registry.register(service("web", more));
    await using client = await RawClient.ready(running.url, { headers: headersOf(WEB) });
    const named = new Set<Action>();
    for (const [action, params] of OUTSIDE) {
      const what = `${action} ${JSON.stringify(params)}`;
      const error = await client.fail(action, params);
      assert.deepEqual(
        [error["code"], error["details"]?.reason],
        ["forbidden", "outside_scope"],
        what,
      );
      named.add(action);
    }
    assert.deepEqual(calls, []);
    const lists = ["list_services", "list_endpoints", "list_deployments", "list_packages"];
    const all = ACTION_NAMES.filter((one) => one !== "unsubscribe");
    assert.deepEqual(all.filter((one) => !named.has(one as Action)).sort(), lists.sort());

    const ids = (entries: unknown) => (entries as Array<{ id: string }>).map(({ id }) => id);
    assert.deepEqual(ids(await client.call("list_services")), ["web"]);
    assert.deepEqual(ids((await client.call("list_services", { limit: 1 })).services), ["web"]);
    assert.deepEqual(Object.keys(await client.call("list_endpoints")), ["web"]);
    const deployments = await client.call("list_deployments", { limit: 2 });
    assert.deepEqual(deployments.map((one: { service: string }) => one.service), ["web", "web-2"]);
    assert.deepEqual((await client.call("list_packages")).map((p: { file: string }) => p.file), [
      "web-1.0.0.tar.gz",
    ]);
    assert.deepEqual(await client.call("get_dependencies", { name: "web" }), {
      dependencies: [],
      dependents: [],
      unmet: [],
      start_order: [["web"]],
    });
    const ask = async (method: string, path: string) => {
      const init = { method, headers: headersOf(WEB), ...(method === "PUT" ? { body: "x" } : {}) };
      const response = await fetch(`${running.http}/packages/${path}`, init);
      return [response.status, await response.text()] as const;
    };
    for (const path of ["db-1.0.0.tar.gz", "db-1.0.0.tar.gz.minisig", "new.tar.gz"]) {
      for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
        assert.equal((await ask(method, path))[0], 403, `${method} ${path}`);
      }
    }
    assert.deepEqual((await ask("GET", ""))[1].match(/[a-z]+-1\.0\.0\.tar\.gz/g), [
      "web-1.0.0.tar.gz",
    ]);
    assert.equal((await ask("GET", "web-1.0.0.tar.gz"))[0], 200);
    // What is inside works.
    await client.call("heartbeat", { name: "web" });
    await client.call("register_service", { service: service("web-2") });
    assert.equal(
      (await client.fail("service_action", { name: "web", action: "start" }))["code"],
      "internal",
    );
    assert.deepEqual(calls, ["act"]);
  });

  Deno.test(`tokens: a ${listener} token hears of its services alone`, async () => {
    const auth = { namedTokens: [web({ rights: "read" })], tokens: [FULL] };
    await using running = await startServer({ listener, auth });
    const { registry } = running;
    await registry.register(service("db"));
    await registry.register(service("web"));
    const since = { epoch: registry.epoch, seq: 0 };
    await using client = await RawClient.ready(running.url, { headers: headersOf(WEB) });
    for (
      const params of [{ since }, { snapshot: true }, { services: ["*"] }, { services: ["d?"] }]
    ) {
      await client.call("subscribe", params);
    }
    await client.event("registry_loaded");
    await client.event("bookmark");
    await registry.update("db", { version: "2" });
    await registry.update("web", { version: "2" });
    await registry.register(service("db", { id: "web-alias" }));
    await registry.publish({
      event: "deployment_progress",
      data: {
        deployment_id: "d-1",
        service: "db",
        id: null,
        host: null,
        step: "finish",
        status: "done",
        at: "2026-01-01T00:00:00.000Z",
      },
    });
    await registry.register(service("web-last"));
    await client.take((f) => f["data"]?.id === "web-last", "the last event");
    const seen = client.log.filter(({ type }) => type === "event").map((f) => JSON.stringify(f));
    assert.deepEqual(seen.filter((text) => /"(db|web-alias|d-1)"/.test(text)), []);
    assert.ok(seen.some((text) => text.includes('"registry_loaded"') && text.includes('"web"')));
  });

  Deno.test(`tokens: a ${listener} token that is taken away ends at once`, async () => {
    const other = "another-token-of-128-bit-at-least";
    const read = { name: "reader", sha256: sha256(other), rights: "read" } as const;
    await using dir = await tempDir();
    const packages = await PackageStore.open(`${dir.path}/packages`, { inspect: null });
    const auth = { tokens: [FULL], namedTokens: [web(), read] };
    await using running = await startServer({ listener, auth, packages });
    const clients = await Promise.all(
      [FULL, WEB, other].map((token) =>
        RawClient.ready(running.url, { headers: headersOf(token) })
      ),
    );
    const [full, webClient, reader] = clients as [RawClient, RawClient, RawClient];
    // An upload under way is no more stored.
    let upload: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({ start: (it) => void (upload = it) });
    const put = fetch(`${running.http}/packages/web-1.0.0.tar.gz`, {
      method: "PUT",
      headers: headersOf(WEB),
      body,
    }).then(async (response) => [response.status, await response.text()], () => ["cut"]);
    upload?.enqueue(new Uint8Array(100));
    await eventually(
      async () => (await Array.fromAsync(Deno.readDir(`${dir.path}/packages`))).length > 0,
      "a part",
    );
    // The same as before stays connected, whatever is around it.
    running.server.setTokens({ tokens: [FULL], namedTokens: [{ ...read, rights: "full" }] });
    assert.deepEqual(await webClient.closed, {
      code: 4401,
      reason: "the token is no longer valid",
    });
    assert.deepEqual(await reader.closed, {
      code: 4401,
      reason: "the token's rights have changed: reconnect",
    });
    upload?.enqueue(new Uint8Array(100));
    upload?.close();
    const [status] = await put;
    assert.ok(status === 401 || status === "cut", String(status));
    assert.deepEqual(await packages.list(), []);
    assert.deepEqual(await full.call("list_services"), []);
    await full.close();
    const { port } = running.server;
    using gone = await RawSocket.open({ port, headers: headersOf(WEB) });
    assert.equal(gone.status, 401);
    await using again = await RawClient.connect(running.url, { headers: headersOf(other) });
    assert.deepEqual((await again.next())["data"].capabilities, ["write", "packages"]);
    // Nobody is let in by a list without any token.
    running.server.setTokens({});
    await again.closed;
    using nobody = await RawSocket.open({ port });
    assert.equal(nobody.status, 401);
  });

  Deno.test(`tokens: a ${listener} token ends when it expires`, async () => {
    await using running = await startServer({ listener, auth: { tokens: [FULL] } });
    let expiresAt = 0;
    let client: RawClient | null = null;
    // A machine that is too busy to connect in that time gets more.
    for (let lifeMs = 1_000; client === null && lifeMs < 120_000; lifeMs *= 4) {
      expiresAt = Date.now() + lifeMs;
      running.server.setTokens({ tokens: [FULL], namedTokens: [web({ expiresAt })] });
      client = await RawClient.ready(running.url, { headers: headersOf(WEB) }).catch(() => null);
    }
    assert.ok(client !== null, "it connects with its token");
    assert.deepEqual(await client.closed, { code: 4401, reason: "the token has expired" });
    assert.ok(Date.now() >= expiresAt);
    const response = await fetch(`${running.http}/packages`, { headers: headersOf(WEB) });
    assert.match(await response.text(), /the token has expired/);
    assert.equal(response.status, 401);
  });
}

Deno.test("tokens: who sends none to serve() keeps the registry only", async () => {
  const calls: string[] = [];
  await using running = await startServer({ listener: "deno", auth: {}, ...backends(calls) });
  await using client = await RawClient.connect(running.url);
  assert.deepEqual((await client.next())["data"].capabilities, ["write"]);
  await client.call("register_service", { service: service("api") });
  const error = await client.fail("service_action", { name: "api", action: "start" });
  assert.deepEqual([error["code"], error["details"].reason], ["unauthorized", "no_token"]);
  assert.deepEqual(calls, []);
});

Deno.test("tokens: every mistake in the file is named with its line", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/tokens.yaml`;
  const secret = "the-token-itself-where-its-hash-belongs";
  const text = [
    `- name: ci`,
    `  hash: ${secret}`,
    `  rights: full`,
    `- {name: ci, hash: "sha256:${"0".repeat(64)}", right: full}`,
    `- {name: token, hash: "sha256:${"0".repeat(64)}", rights: all, services: []}`,
    `- {name: "-x", rights: read, services: [web, "a/b"], expires: 2027-02-30}`,
    `- nonsense`,
    `- {name: late, hash: "sha256:${"1".repeat(64)}", rights: read, expires: 2027-01-01T00:00:00}`,
  ].join("\n");
  await Deno.writeTextFile(path, text, { mode: 0o600 });
  const args = ["--listen", "127.0.0.1:0", "--state-dir", `${dir.path}/state`];
  const { code, stderr } = await runCli([...args, "--tokens-file", path]);
  assert.equal(code, 2, stderr);
  const found = [...stderr.matchAll(/tokens\.yaml:(\d+):\d+: (.*)$/gm)];
  assert.deepEqual(found.map(([, at, what = ""]) => `${at} ${what.split(/[,(:]/)[0]?.trim()}`), [
    '2 hash must be "sha256',
    "4 rights is missing",
    "4 name as in line 1",
    '4 unknown key "right"',
    "5 name is a name of the server's own",
    "5 hash as in line 4",
    "5 rights must be full or read",
    "5 services must be a list of names and globs",
    "6 hash is missing",
    "6 name must be up to 64 letters",
    "6 a service must be a service name",
    "6 expires must be a date or a time with its zone",
    "7 must be a token",
    "8 expires must be a date or a time with its zone",
  ]);
  assert.ok(!stderr.includes(secret));
  const cases: Array<[string, RegExp]> = [
    ["a: 1", /:1:1: must be a list of tokens/],
    ["- {name: x", /:1:\d+: /],
    ["", /read-only tokens alone/],
    [line("r", WEB, "rights: read"), /read-only tokens alone.*or a token with rights: full in/],
  ];
  for (const [content, why] of cases) {
    await Deno.writeTextFile(path, content);
    const result = await runCli([...args, "--tokens-file", path]);
    assert.deepEqual([result.code, why.test(result.stderr)], [2, true], result.stderr);
  }
  await Deno.writeTextFile(path, line("ci", FULL));
  await Deno.writeTextFile(`${dir.path}/token`, FULL, { mode: 0o600 });
  const both = ["--tokens-file", path, "--token-file", `${dir.path}/token`];
  assert.match(
    (await runCli([...args, ...both])).stderr,
    /its token ci is the one of --token-file/,
  );
  const open = await runCli([...args, "--tokens-file", path, "--allow-unauthenticated"]);
  assert.match(open.stderr, /--allow-unauthenticated and a token \(--tokens-file\)/);
});

Deno.test("tokens: a file that others can read or change is refused", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/tokens.yaml`;
  await Deno.writeTextFile(path, line("ci", FULL));
  const args = ["--listen", "127.0.0.1:0", "--state-dir", `${dir.path}/state`];
  const cases: Array<[() => Promise<unknown>, RegExp]> = [
    [() => Deno.chmod(path, 0o644), /other users may read or change it \(mode 0644\)/],
    [() => Deno.chmod(path, 0o620), /mode 0620/],
    ...(Deno.uid() === 0
      ? [[async () => {
        await Deno.chmod(path, 0o600);
        await Deno.chown(path, 65534, 65534);
      }, /belongs to user 65534/] as [() => Promise<unknown>, RegExp]]
      : []),
    [async () => {
      await Deno.remove(path);
      await new Deno.Command("mkfifo", { args: ["-m", "600", path] }).output();
    }, /it is not a file/],
    [() => Deno.remove(path), /there is no such file/],
  ];
  for (const [change, why] of cases) {
    await change();
    const { code, stderr } = await runCli([...args, "--tokens-file", path]);
    assert.notEqual(code, 0);
    assert.match(stderr, why);
  }
});

Deno.test("tokens: SIGHUP reads the file again, or keeps what was", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/tokens.yaml`;
  const write = (text: string) => Deno.writeTextFile(path, text, { mode: 0o600 });
  await write(line("ci", FULL) + line("web-team", WEB, 'rights: full, services: ["web-*"]'));
  await using server = await startCliServer([], { env: { HARNESS_TOKENS_FILE: path } });
  const { cli, url } = server;
  await cli.until((it) => it.stderr.includes(`HARNESS_TOKENS_FILE ${path} (2 tokens)`));
  const hangUp = async (said: string) => {
    const from = cli.stderr.length;
    cli.kill("SIGHUP");
    await cli.until((it) => it.stderr.slice(from).includes(said));
    return cli.stderr.slice(from);
  };
  await using ci = await RawClient.ready(url, { headers: headersOf(FULL) });
  const team = await RawClient.ready(url, { headers: headersOf(WEB) });
  await ci.call("register_service", { service: service("db") });
  await team.fail("update_service", { name: "db", version: "2" });
  await team.call("register_service", { service: service("web-1") });
  // A bad file changes nothing.
  await write("- {name: ci}\n");
  assert.match(await hangUp("Cannot read the tokens again"), /tokens\.yaml:1:3: hash is missing/);
  await Deno.chmod(path, 0o644);
  await hangUp("other users may read or change it");
  assert.equal((await team.call("get_service", { name: "web-1" })).id, "web-1");
  // A good one does, at once.
  await Deno.chmod(path, 0o600);
  await write(line("ci", FULL));
  await hangUp("Read the tokens again");
  assert.equal((await team.closed).code, 4401);
  using gone = await RawSocket.open({ port: Number(new URL(url).port), headers: headersOf(WEB) });
  assert.equal(gone.status, 401);
  await ci.call("deregister_service", { name: "db" });
  const audit = async () =>
    (await Deno.readTextFile(`${server.stateDir}/audit.log`)).trim().split("\n")
      .map((text) => JSON.parse(text))
      .map(({ by, address, action, outcome }) => [by, address, action, outcome]);
  await eventually(async () => (await audit()).length >= 4, "four lines of the audit log");
  assert.deepEqual(await audit(), [
    ["ci", "127.0.0.1", "register_service", "ok"],
    ["web-team", "127.0.0.1", "update_service", "forbidden"],
    ["web-team", "127.0.0.1", "register_service", "ok"],
    ["ci", "127.0.0.1", "deregister_service", "ok"],
  ]);
  // Also when every token is taken away.
  await write("");
  await hangUp("(0 tokens)");
  assert.equal((await ci.closed).code, 4401);
  using nobody = await RawSocket.open({ port: Number(new URL(url).port) });
  assert.equal(nobody.status, 401);
});

Deno.test("tokens: SIGHUP reads the other token files again", async () => {
  await using dir = await tempDir();
  const env = { XDG_RUNTIME_DIR: dir.path, HARNESS_STATE_DIR: `${dir.path}/state` };
  const files = { full: `${dir.path}/full`, read: `${dir.path}/read` };
  for (const [name, file] of Object.entries(files)) {
    await Deno.writeTextFile(file, `${name}-one-of-128-bit-at-least`, { mode: 0o600 });
  }
  {
    const args = ["--token-file", files.full, "--read-token-file", files.read];
    await using server = await startCliServer(args);
    const clients = await Promise.all(
      ["full", "read"].map((name) =>
        RawClient.ready(server.url, { headers: headersOf(`${name}-one-of-128-bit-at-least`) })
      ),
    );
    await Deno.writeTextFile(files.read, "short");
    server.cli.kill("SIGHUP");
    await server.cli.until((it) =>
      /Cannot read the tokens again.*less than 128 bit/.test(it.stderr)
    );
    for (const [name, file] of Object.entries(files)) {
      await Deno.writeTextFile(file, `${name}-two-of-128-bit-at-least`);
    }
    server.cli.kill("SIGHUP");
    for (const client of clients) assert.equal((await client.closed).code, 4401);
    const headers = headersOf("full-two-of-128-bit-at-least");
    await using next = await RawClient.ready(server.url, { headers });
    await next.call("list_services");
    assert.doesNotMatch(server.cli.stderr, /-of-128-bit/);
  }
  // The one that the server made: client commands find the next one by themselves.
  await using server = await startCliServer([], { stateDir: `${dir.path}/state`, env });
  const before = await Deno.readTextFile(`${dir.path}/state/token`);
  await Deno.remove(`${dir.path}/state/token`);
  server.cli.kill("SIGHUP");
  await server.cli.until((it) => it.stderr.includes("Read the tokens again"));
  assert.notEqual(await Deno.readTextFile(`${dir.path}/state/token`), before);
  const start = await runCli(["service", "start", "nothing", "--url", server.url], { env });
  assert.match(start.stderr, /\[not_found\]/);
});

Deno.test("tokens: token new makes a line that serve takes", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/tokens.yaml`;
  const made = [
    ["--name", "ci", "--rights", "full", "--services", "web,api-*", "--services", "db"],
    ["--name", "yes", "--expires", "720h"],
    ["--name", "boss", "--rights", "full", "--expires", "2199-12-31"],
  ];
  const tokens: string[] = [];
  for (const args of made) {
    const { code, stdout } = await runHere(["token", "new", ...args]);
    assert.equal(code, 0);
    const [token = "", text = ""] = stdout.split("\n").filter((one) =>
      /^(- \{|[\w-]{43}$)/.test(one)
    );
    tokens.push(token);
    assert.ok(!text.includes(token));
    await Deno.writeTextFile(path, `${text}\n`, { append: true, mode: 0o600 });
  }
  const json = JSON.parse((await runHere(["token", "new", "--name", "j", "--json"])).stdout);
  assert.equal(json.hash, `sha256:${sha256(json.token)}`);
  assert.equal(json.rights, "read");
  await using server = await startCliServer(["--tokens-file", path]);
  const [ci = "", reader = "", boss = ""] = tokens;
  await using asCi = await RawClient.ready(server.url, { headers: headersOf(ci) });
  await asCi.call("register_service", { service: service("api-1") });
  assert.equal(
    (await asCi.fail("register_service", { service: service("other") }))["code"],
    "forbidden",
  );
  await using asReader = await RawClient.ready(server.url, { headers: headersOf(reader) });
  assert.equal((await asReader.fail("deregister_service", { name: "api-1" }))["code"], "forbidden");
  await using asBoss = await RawClient.ready(server.url, { headers: headersOf(boss) });
  await asBoss.call("deregister_service", { name: "api-1" });
  const wrong = [
    [], // no name
    ["--name", "anonymous"],
    ["--name", "a b"],
    ["--name", "x", "--services", "a/b"],
    ["--name", "x", "--expires", "tomorrow"],
    ["--name", "x", "--rights", "all"],
  ];
  for (const args of wrong) {
    const { code, stdout } = await runHere(["token", "new", ...args]);
    assert.deepEqual([code, stdout], [2, ""], args.join(" "));
  }
});

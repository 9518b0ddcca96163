/** Host, Origin and token, before the 101. */
import assert from "node:assert/strict";
import { serve } from "../../src/server/serve.ts";
import { Registry } from "../../src/registry/registry.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { type Action, ACTION_NAMES } from "../../src/protocol/actions.ts";
import { RawClient } from "../helpers/raw_client.ts";
import { RawSocket } from "../helpers/raw_socket.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";

const FULL = "full-token-of-the-operators";
const READ = "read-token-of-the-dashboards";
const AUTH = { tokens: [FULL], readTokens: [READ] };

const base64url = (text: string) =>
  btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

for (const listener of LISTENERS) {
  const name = (text: string) => `${listener} server ${text}`;

  Deno.test(name("checks the token before the 101"), async () => {
    await using running = await startServer({ listener, auth: AUTH });
    const { port } = running.server;
    const cases: Array<[Record<string, string>, number]> = [
      [{}, 401],
      [{ authorization: `Bearer ${FULL}` }, 101],
      [{ authorization: `bearer ${READ}` }, 101],
      [{ authorization: `Bearer ${FULL}x` }, 401],
      [{ authorization: `Bearer ${FULL.slice(0, -1)}` }, 401],
      [{ authorization: "Bearer " }, 401],
      [{ authorization: "Bearer" }, 401],
      [{ authorization: `Basic ${btoa(`x:${FULL}`)}` }, 401],
      [{ authorization: FULL }, 401],
      [{ authorization: `Bearer ${"x".repeat(8000)}` }, 401],
      [{ "sec-websocket-protocol": `harness.v1, harness.token.${base64url(FULL)}` }, 101],
      [{ "sec-websocket-protocol": `harness.token.${base64url(READ)}` }, 101],
      [{ "sec-websocket-protocol": `harness.v1, harness.token.${base64url("wrong")}` }, 401],
      [{ "sec-websocket-protocol": `harness.v1, harness.token.*` }, 401],
      [{ "sec-websocket-protocol": `harness.v1, harness.token.` }, 401],
      // A header that is there decides, however good the subprotocol is.
      [{
        authorization: "Bearer wrong",
        "sec-websocket-protocol": `harness.v1, harness.token.${base64url(FULL)}`,
      }, 401],
    ];
    for (const [headers, status] of cases) {
      using socket = await RawSocket.open({ port, headers });
      assert.equal(socket.status, status, JSON.stringify(headers));
      assert.ok(!socket.answer.includes(FULL) && !socket.answer.includes(base64url(FULL)));
      if (status === 401) assert.match(socket.answer, /www-authenticate: bearer/i);
    }
    using inUrl = await RawSocket.open({ port, path: `/?token=${FULL}` });
    assert.equal(inUrl.status, 401);
  });

  Deno.test(
    name("never confirms a token's subprotocol"),
    async () => {
      await using running = await startServer({ listener, auth: AUTH });
      await using client = await RawClient.ready(running.url, {
        protocols: ["harness.v1", `harness.token.${base64url(READ)}`],
      });
      assert.equal(client.socket.protocol, "harness.v1");
    },
  );

  Deno.test(name("refuses only writes of a read-only token"), async () => {
    await using running = await startServer({ listener, auth: AUTH });
    await running.registry.register(service("api"));
    await using client = await RawClient.connect(running.url, {
      headers: { authorization: `Bearer ${READ}` },
    });
    assert.deepEqual((await client.next())["data"].capabilities, []);
    const valid: Partial<Record<Action, unknown>> = {
      get_service: { name: "api" },
      register_service: { service: service("x") },
      update_service: { name: "api", version: "2" },
      deregister_service: { name: "api" },
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
    };
    const forbidden: string[] = [];
    for (const action of ACTION_NAMES) {
      const response = await client.request(action, valid[action] ?? {});
      if (response["error"]?.code === "forbidden") forbidden.push(action);
    }
    // What it may not do at all is not checked any further.
    assert.equal((await client.fail("register_service", {}))["code"], "forbidden");
    assert.deepEqual(
      forbidden.toSorted(),
      [
        "register_service",
        "update_service",
        "deregister_service",
        "heartbeat",
        "service_action",
        "deploy_package",
        "cancel_deployment",
        "resume_deployment",
        "rollback_service",
      ].toSorted(),
    );
    assert.equal(running.registry.get("api").revision, 1);
  });

  Deno.test(name("refuses foreign origins and hosts before the 101"), async () => {
    await using running = await startServer({
      listener,
      auth: {
        anonymous: "full",
        allowOrigins: ["https://ops.example.com"],
        allowHosts: ["Harness.Example.com"],
      },
    });
    const { port } = running.server;
    const own = `127.0.0.1:${port}`;
    const cases: Array<[Record<string, string>, number]> = [
      [{}, 101],
      [{ origin: `http://${own}` }, 101],
      [{ origin: "https://ops.example.com" }, 101],
      [{ origin: "https://OPS.example.com" }, 101],
      [{ origin: "https://evil.example.com" }, 403],
      [{ origin: "http://ops.example.com" }, 403],
      [{ origin: "https://ops.example.com.evil.com" }, 403],
      [{ origin: `http://127.0.0.1:${port + 1}` }, 403],
      [{ origin: "null" }, 403],
      [{ origin: "file://" }, 403],
      [{ host: "evil.example.com" }, 403],
      [{ host: `evil.example.com:${port}`, origin: `http://evil.example.com:${port}` }, 403],
      [{ host: "harness.example.com" }, 101],
      [{ host: "harness.example.com", origin: "https://harness.example.com" }, 101],
      [{ host: "harness.example.com:443", origin: "https://harness.example.com" }, 101],
      [{ host: `localhost:${port}` }, 101],
      [{ host: `[::1]:${port}` }, 101],
      [{ host: "127.0.0.1.evil.com" }, 403],
    ];
    for (const [headers, status] of cases) {
      using socket = await RawSocket.open({ port, headers });
      assert.equal(socket.status, status, JSON.stringify(headers));
    }
  });

  Deno.test(name("takes every list that offers harness.v1, or none"), async () => {
    await using running = await startServer({ listener });
    const { port } = running.server;
    for (
      const [offered, confirmed] of [
        [" ", null],
        [",", null],
        [", harness.v1,,", "harness.v1"],
        ["harness.v1, harness.v1", "harness.v1"],
        ["x/y, harness.v1", "harness.v1"],
      ] as const
    ) {
      using socket = await RawSocket.open({ port, headers: { "sec-websocket-protocol": offered } });
      assert.equal(socket.status, 101, offered);
      const found = /^sec-websocket-protocol: (.*)\r$/im.exec(socket.answer)?.[1] ?? null;
      assert.equal(found, confirmed, offered);
    }
  });

  Deno.test(name("refuses other handshakes than harness.v1"), async () => {
    await using running = await startServer({ listener });
    const { port } = running.server;
    const cases: Array<[{ headers?: Record<string, string>; path?: string }, number]> = [
      [{ headers: { "sec-websocket-protocol": "graphql-ws, harness.v2" } }, 400],
      [{ headers: { "sec-websocket-version": "8" } }, 426],
      [{ headers: { "sec-websocket-key": "" } }, 400],
      [{ headers: { host: "a b" } }, 400],
      [{ headers: { host: "" } }, 400], // RawSocket leaves the line out
      [{ headers: { connection: "close" } }, 426],
      [{ headers: { upgrade: "h2c" } }, 426],
      [{ path: "/other" }, 404],
    ];
    for (const [request, status] of cases) {
      using socket = await RawSocket.open({ port, ...request });
      assert.equal(socket.status, status, JSON.stringify(request));
      // Without an upgrade to WebSocket it is a plain GET, which is answered with a hint for people.
      if (/[^/]\btext\/plain/.test(socket.answer)) continue;
      assert.match(socket.answer, /content-type: application\/json/i, JSON.stringify(request));
    }
    using unknown = await RawSocket.open({
      port,
      headers: { "sec-websocket-protocol": "harness.v2", connection: "Upgrade, close" },
    });
    const rest = new TextDecoder().decode(await unknown.readToEnd());
    assert.match(unknown.answer + rest, /"supported":\["harness\.v1"\]/);
  });
}

Deno.test("serve(): refuses a reachable address without a token", async () => {
  await using registry = await Registry.open(new MemoryStore());
  for (const hostname of ["0.0.0.0", "::", "192.0.2.1"]) {
    await assert.rejects(serve({ registry, hostname, port: 0 }), { code: "forbidden" });
  }
  await using open = await serve({
    registry,
    hostname: "0.0.0.0",
    port: 0,
    allowUnauthenticated: true,
  });
  assert.ok(open.port > 0);
  await using guarded = await serve({ registry, hostname: "0.0.0.0", port: 0, auth: AUTH });
  using named = await RawSocket.open({
    port: guarded.port,
    headers: { host: "harness.example.com", authorization: `Bearer ${FULL}` },
  });
  assert.equal(named.status, 101);
});

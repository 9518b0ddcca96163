/** Listening, TLS and the end of a server. */
import { DEFAULT_SERVER_LIMITS } from "../../src/model/server_limits.ts";
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { serve } from "../../src/server/serve.ts";
import { HTTP_CLOSE_TIMEOUT_MS } from "../../src/server/limits.ts";
import { Registry } from "../../src/registry/registry.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { RawClient, within } from "../helpers/raw_client.ts";
import { RawSocket } from "../helpers/raw_socket.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";
import { TEST_TLS } from "../helpers/tls.ts";

for (const listener of LISTENERS) {
  const name = (text: string) => `${listener} server ${text}`;

  Deno.test(name("finishes requests and closes with 1001"), async () => {
    const gate = Promise.withResolvers<void>();
    await using running = await startServer({
      listener,
      limits: { shutdownTimeoutMs: 60_000 }, // the request is let go on, not given up
      services: {
        async act() {
          await gate.promise;
          return { service: "slow", old_state: "stopped", new_state: "running" };
        },
        logs: () => Promise.resolve({ lines: [] }),
        async *follow() {},
      },
    });
    const client = await RawClient.ready(running.url);
    await client.call("subscribe");
    const slow = client.ask("service_action", { name: "slow", action: "start" });
    await client.call("list_services");
    const ended = running.server.shutdown("maintenance");
    const notice = await client.event("server_draining");
    assert.deepEqual(notice["data"], { reason: "maintenance", reconnect_after_ms: 1000 });
    const late = await client.fail("list_services");
    assert.deepEqual([late["code"], late["retryable"]], ["unavailable", true]);
    using refused = await RawSocket.open({ port: running.server.port });
    assert.equal(refused.status, 503);
    assert.equal((await fetch(`${running.http}/readyz`).then((r) => r.json())).status, "not ready");
    gate.resolve();
    assert.equal(
      (await client.take((f) => f["id"] === slow, "answer"))["data"].new_state,
      "running",
    );
    assert.equal((await client.closed).code, 1001);
    await ended;
    await running.server.shutdown(); // a second time is the same
    await assert.rejects(RawClient.connect(running.url));
  });

  Deno.test(
    name("shuts down within 5 s with hung peers"),
    async () => {
      // A whole shutdown may take 5 s. Half of it is asked for here, so that a busy machine has the other half.
      assert.ok(DEFAULT_SERVER_LIMITS.shutdownTimeoutMs + HTTP_CLOSE_TIMEOUT_MS < 5000);
      await using running = await startServer({
        listener,
        limits: { shutdownTimeoutMs: DEFAULT_SERVER_LIMITS.shutdownTimeoutMs / 2 },
        services: {
          act: () => new Promise(() => {}),
          logs: () => Promise.resolve({ lines: [] }),
          async *follow() {},
        },
      });
      const { port } = running.server;
      const stuck = await Promise.all(Array.from({ length: 10 }, () => RawSocket.open({ port })));
      const half = await Deno.connect({ hostname: "127.0.0.1", port });
      await half.write(new TextEncoder().encode("GET /healthz HTTP/1.1\r\nhost:"));
      const client = await RawClient.ready(running.url);
      client.ask("service_action", { name: "a", action: "start" });
      for (const socket of stuck) {
        await socket.text(JSON.stringify({ id: "1", type: "request", action: "subscribe" }));
      }
      await running.registry.register(service("a"));
      await client.call("list_services");
      await within(60_000, running.server.shutdown(), "the end, whatever its peers do");
      assert.equal((await client.closed).code, 1001);
      for (const socket of stuck) socket[Symbol.dispose]();
      half.close();
    },
  );

  Deno.test(name("serves over TLS, beside a plain server"), async () => {
    await using registry = await Registry.open(new MemoryStore());
    await registry.register(service("api"));
    await using plain = await startServer({ listener, registry });
    await using secure = await startServer({ listener, registry, tls: TEST_TLS });
    assert.match(secure.url, /^wss:\/\/127\.0\.0\.1:\d+$/);
    await using client = await RawClient.ready(plain.url);
    assert.equal((await client.call("list_services")).length, 1);

    using trusting = Deno.createHttpClient({ caCerts: [TEST_TLS.cert] });
    const health = await fetch(`https://127.0.0.1:${secure.server.port}/healthz`, {
      client: trusting,
    });
    assert.deepEqual(await health.json(), { status: "ok" });
    await assert.rejects(fetch(`https://127.0.0.1:${secure.server.port}/healthz`));
    // Over HTTP/2, which Deno negotiates, there is no Host header; the check must find the host anyway.
    const packages = await fetch(`https://127.0.0.1:${secure.server.port}/packages`, {
      client: trusting,
    });
    assert.equal(packages.status, 503);
    assert.equal((await packages.json()).error.code, "unavailable");

    const socket = new WebSocket(secure.url, { protocols: ["harness.v1"], client: trusting });
    const frames = new Promise<string[]>((resolve, reject) => {
      const seen: string[] = [];
      socket.onmessage = (event) => {
        seen.push(event.data);
        if (seen.length === 2) resolve(seen);
      };
      socket.onerror = (event) => reject(new Error((event as ErrorEvent).message));
    });
    socket.onopen = () => socket.send('{"id":"1","type":"request","action":"list_services"}');
    const [hello, list] = await frames;
    assert.equal(JSON.parse(hello ?? "").event, "hello");
    assert.equal(JSON.parse(list ?? "").data[0].name, "api");
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;

    // A client that does not trust the certificate ends its own handshake, not the server.
    await assert.rejects(RawClient.connect(secure.url));
    using junk = await Deno.connect({ hostname: "127.0.0.1", port: secure.server.port });
    await junk.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    const again = await fetch(`https://127.0.0.1:${secure.server.port}/healthz`, {
      client: trusting,
    });
    assert.equal((await again.json()).status, "ok");
  });

  Deno.test(name("says why it cannot listen"), async () => {
    await using running = await startServer({ listener });
    const { registry, server } = running;
    await assert.rejects(serve({ registry, listener, port: server.port }), (error: Error) => {
      assert.equal((error as { code?: string }).code, "unavailable");
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${server.port}.*another program`));
      return true;
    });
    const tls = { cert: "not a certificate", key: "not a key" };
    await assert.rejects(serve({ registry, listener, port: 0, tls }), { code: "invalid_params" });
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const wrong = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    await assert.rejects(
      serve({ registry, listener, port: 0, tls: { cert: TEST_TLS.cert, key: wrong } }),
      { code: "invalid_params" },
    );
    await assert.rejects(
      serve({ registry, listener, port: 0, hostname: "192.0.2.1", allowUnauthenticated: true }),
      { code: "invalid_params" },
    );
  });
}

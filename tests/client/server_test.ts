import assert from "node:assert/strict";
// @ts-types="@types/ws"
import WebSocket from "ws";
import { type ClientStatus, RegistryClient } from "../../src/client/mod.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";
import { TEST_TLS } from "../helpers/tls.ts";
import { failure } from "../helpers/rejects.ts";

const TOKEN = "a full token, with spaces? no: with ünïcödé".replaceAll(" ", "_");
const READ_TOKEN = "reads-only";
/** An HTTP header carries latin-1 at most; the subprotocol form carries any text. */
const PLAIN_TOKEN = "plain-full-token";

Deno.test("client: a method for every registry action", async () => {
  await using server = await startServer({ listener: "deno" });
  await using client = await RegistryClient.connect(server.url);
  const endpoint = {
    name: "http",
    address: "127.0.0.1:80",
    protocol: "http",
    metadata: {},
  } as const;
  const web = await client.registerService(service("web", { endpoints: [endpoint] }));
  assert.equal(web.revision, 1);
  const db = await client.registerService(service("db", { ttl_ms: 60_000 }));
  assert.deepEqual(await client.listServices(), [db, web]);
  assert.deepEqual(await client.listServices({ name: "w*" }), [web]);
  const page = await client.listServicesPage({ limit: 1 });
  assert.deepEqual(page.services, [db]);
  const cursor = page.next_cursor ?? "";
  const last = await client.listServicesPage({ limit: 1, cursor });
  assert.deepEqual([last.services, last.next_cursor], [[web], null]);
  assert.deepEqual(await client.getService("web"), web);
  const updated = await client.updateService({ name: "web", depends_on: ["db"], if_revision: 1 });
  assert.equal(updated.revision, 2);
  const replaced = await client.registerService(service("db"), { replace: true });
  assert.equal(replaced.ttl_ms, undefined);
  assert.equal((await failure(client.heartbeat("db"))).code, "invalid_params");
  assert.deepEqual((await client.getDependencies("web")).dependencies, ["db"]);
  assert.deepEqual(await client.listEndpoints(), { db: [], web: [endpoint] });
  assert.equal((await failure(client.resolveEndpoint("web"))).code, "unavailable");
  await client.updateService({ name: "web", state: "starting" });
  await client.updateService({ name: "web", state: "running" });
  const resolved = [{ ...endpoint, id: "web" }];
  assert.deepEqual(await client.resolveEndpoint("web"), resolved);
  assert.deepEqual(await client.resolveEndpoint("web", { endpoint: "http" }), resolved);
  assert.equal(
    (await failure(client.deregisterService("web", { ifRevision: 1 }))).code,
    "conflict",
  );
  await client.deregisterService("web");
  assert.equal((await failure(client.getService("web"))).code, "not_found");
});

Deno.test("client: methods of backends that a server lacks", async () => {
  await using server = await startServer({ listener: "deno" });
  await using client = await RegistryClient.connect(server.url);
  assert.deepEqual(client.hello.capabilities, ["write"]);
  const calls = [
    client.serviceAction({ name: "web", action: "start" }),
    client.serviceLogs("web"),
    client.serviceLogs("web", { tail: 5 }),
    client.deployPackage({ package: "web-1.0.0.tar.gz", target: "local" }),
    client.getDeployment("d-1"),
    client.listDeployments(),
    client.cancelDeployment("d-1"),
    client.rollbackService({ name: "web" }),
    client.resumeDeployment({ deployment_id: "d-1" }),
    client.listPackages(),
    client.events({ events: ["service_log"], services: ["web"] }).ready,
  ];
  for (const call of calls) assert.equal((await failure(call)).code, "unavailable");
});

for (const listener of LISTENERS) {
  const auth = { tokens: [TOKEN, PLAIN_TOKEN], readTokens: [READ_TOKEN] };

  Deno.test(`token: decides what a client may do (${listener})`, async () => {
    await using server = await startServer({ listener, auth });
    assert.equal((await failure(RegistryClient.connect(server.url))).code, "unauthorized");
    const wrong = RegistryClient.connect(server.url, { token: "wrong" });
    assert.equal((await failure(wrong)).code, "unauthorized");
    await using reader = await RegistryClient.connect(server.url, { token: READ_TOKEN });
    assert.equal((await failure(reader.registerService(service("a")))).code, "forbidden");
    assert.deepEqual(await reader.listServices(), []);
    for (const tokenTransport of ["header", "subprotocol"] as const) {
      const token = tokenTransport === "header" ? PLAIN_TOKEN : TOKEN;
      await using client = await RegistryClient.connect(server.url, { token, tokenTransport });
      assert.deepEqual(client.hello.capabilities, ["write"]);
    }
  });

  Deno.test(`TLS: only a trusted certificate is accepted (${listener})`, async () => {
    await using server = await startServer({ listener, auth, tls: TEST_TLS });
    const url = server.url.replace("127.0.0.1", "localhost");
    assert.match(url, /^wss:/);
    const untrusted = await failure(RegistryClient.connect(url, { token: PLAIN_TOKEN }));
    assert.equal(untrusted.code, "unreachable");
    class Trusting extends WebSocket {
      constructor(address: string, protocols: string[] = [], options: object = {}) {
        super(address, protocols, { ...options, ca: TEST_TLS.cert });
      }
    }
    await using client = await RegistryClient.connect(url, {
      webSocket: Trusting,
      token: PLAIN_TOKEN,
    });
    await client.registerService(service("safe"));
    assert.deepEqual((await client.listServices()).map((entry) => entry.id), ["safe"]);
  });

  Deno.test(`webSocket: npm:ws works (${listener})`, async () => {
    await using server = await startServer({ listener, auth });
    const wrong = RegistryClient.connect(server.url, { webSocket: WebSocket, token: "wrong" });
    assert.equal((await failure(wrong)).code, "unauthorized");
    for (const tokenTransport of ["header", "subprotocol"] as const) {
      await using client = await RegistryClient.connect(server.url, {
        webSocket: WebSocket,
        token: PLAIN_TOKEN,
        tokenTransport,
      });
      await using stream = client.events({ snapshot: true, services: [tokenTransport] });
      await client.registerService(service(tokenTransport));
      assert.equal((await stream.next()).value?.kind, "snapshot");
    }
  });

  Deno.test(`events: resume after a graceful restart (${listener})`, async () => {
    const first = await startServer({ listener });
    const statuses: ClientStatus[] = [];
    await using client = await RegistryClient.connect(first.url, {
      reconnect: { minDelayMs: 5, maxDelayMs: 50 },
      onStatus: (status) => statuses.push(status),
    });
    await using stream = client.events();
    await stream.ready;
    // The registry outlives its server, as the files do.
    const { registry, server: { port } } = first;
    await first.server.shutdown("upgrade");
    await registry.register(service("meanwhile"));
    await using _second = await startServer({ listener, registry, port });
    const { value } = await stream.next();
    assert(value?.kind === "event" && value.event === "service_registered");
    assert.equal(value.data.id, "meanwhile");
    assert.deepEqual(statuses.map((status) => status.type).filter((t) => t !== "reconnecting"), [
      "connected",
      "draining",
      "disconnected",
      "connected",
      "resumed",
    ]);
    const lost = statuses.find((status) => status.type === "disconnected");
    assert.equal(lost?.type === "disconnected" ? lost.code : 0, 1001);
    await client.close();
    await registry.close();
  });

  Deno.test(`events: a slow reader gets each one once (${listener})`, async () => {
    await using server = await startServer({ listener });
    await using client = await RegistryClient.connect(server.url);
    await using stream = client.events({ bufferSize: 16, services: ["busy"] });
    await stream.ready;
    await server.registry.register(service("busy"));
    for (let i = 1; i < 500; i++) {
      await server.registry.update("busy", { labels: { i: String(i) } });
      if (i % 3 === 0) await server.registry.register(service(`other-${i}`));
    }
    for (let revision = 1; revision <= 500; revision++) {
      const { value } = await stream.next();
      assert(value?.kind === "event");
      assert(value.event === "service_registered" || value.event === "service_updated");
      assert.equal(value.data.entry.revision, revision);
      if (revision % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });
}

Deno.test("events: another client resumes from a stored position", async () => {
  await using server = await startServer({ listener: "deno" });
  let position;
  {
    await using client = await RegistryClient.connect(server.url);
    await using stream = client.events();
    await stream.ready;
    for (const name of ["a", "b", "c"]) await client.registerService(service(name));
    await stream.next();
    await stream.next();
    position = stream.position;
    assert.equal(position?.seq, 2, "read, not received");
  }
  await server.registry.register(service("d"));
  await using client = await RegistryClient.connect(server.url);
  assert(position !== null);
  await using stream = client.events({ since: position });
  const ids = [];
  while (ids.length < 2) {
    const { value } = await stream.next();
    assert(value?.kind === "event");
    ids.push(value.data.id);
  }
  assert.deepEqual(ids, ["c", "d"]);
  const other = { epoch: crypto.randomUUID(), seq: 2 };
  await using elsewhere = client.events({ since: other });
  const { value } = await elsewhere.next();
  assert(value?.kind === "snapshot" && value.why === "events_missed");
  assert.deepEqual(value.services.map((entry) => entry.id), ["a", "b", "c", "d"]);
});

Deno.test("events: a snapshot of many pages, then later changes", async () => {
  await using server = await startServer({ listener: "deno" });
  for (let i = 0; i < 2500; i++) await server.registry.register(service(`s${i}`));
  await using client = await RegistryClient.connect(server.url);
  await using stream = client.events({ snapshot: true });
  await stream.ready;
  await server.registry.update("s7", { state: "starting" });
  const { value } = await stream.next();
  assert(value?.kind === "snapshot" && value.why === "requested");
  assert.equal(value.services.length, 2500);
  const seen = value.services.find((entry) => entry.id === "s7");
  if (seen?.state === "registered") {
    const next = (await stream.next()).value;
    assert(next?.kind === "event" && next.event === "service_state_changed");
    assert(next.seq > value.seq);
  }
});

Deno.test("events: twenty streams each see their service", async () => {
  await using server = await startServer({ listener: "deno" });
  await using client = await RegistryClient.connect(server.url);
  const names = Array.from({ length: 20 }, (_, i) => `s${i}`);
  const streams = names.map((name) => client.events({ services: [name], bufferSize: 2 }));
  await Promise.all(streams.map((stream) => stream.ready));
  for (const name of names) await server.registry.register(service(name));
  for (let i = 0; i < 10; i++) {
    for (const name of names) await server.registry.update(name, { labels: { i: String(i) } });
  }
  for (const [index, stream] of streams.entries()) {
    for (let revision = 1; revision <= 11; revision++) {
      const { value } = await stream.next();
      assert(value?.kind === "event" && value.data !== null && "entry" in value.data);
      assert.deepEqual([value.data.id, value.data.entry.revision], [names[index], revision]);
    }
    stream.close();
  }
});

Deno.test("call: rate_limited beyond the server's rate", async () => {
  await using server = await startServer({
    listener: "deno",
    limits: { maxRequestsPerSecond: 5, maxRateLimitedRequests: 1000 },
  });
  await using client = await RegistryClient.connect(server.url, { reconnect: false });
  const calls = Array.from({ length: 30 }, () => client.listServices());
  const results = await Promise.allSettled(calls);
  const refused = results.filter((result) => result.status === "rejected");
  assert(refused.length > 0 && refused.length <= 20, String(refused.length));
  for (const { reason } of refused) {
    assert.equal(reason.code, "rate_limited");
    assert.equal(reason.retryable, true);
    assert.equal(typeof reason.details.retry_after_ms, "number");
  }
});

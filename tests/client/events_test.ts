import assert from "node:assert/strict";
import {
  type ClientStatus,
  type ConnectOptions,
  type EventStream,
  RegistryClient,
  type StreamItem,
} from "../../src/client/mod.ts";
import { eventually } from "../helpers/raw_client.ts";
import { failure } from "../helpers/rejects.ts";
import { type Peer, ScriptedServer } from "./scripted_server.ts";

const soon = { reconnect: { minDelayMs: 1, maxDelayMs: 5 } } as const;

interface Pair extends AsyncDisposable {
  client: RegistryClient;
  peer: Peer;
  statuses: ClientStatus[];
}

async function connect(server: ScriptedServer, options: ConnectOptions = {}): Promise<Pair> {
  const statuses: ClientStatus[] = [];
  const connecting = RegistryClient.connect(server.url, {
    ...soon,
    onStatus: (status) => statuses.push(status),
    ...options,
  });
  const peer = await server.greet();
  const client = await connecting;
  return { client, peer, statuses, [Symbol.asyncDispose]: () => client.close() };
}

async function take(stream: EventStream, count: number): Promise<StreamItem[]> {
  const items: StreamItem[] = [];
  while (items.length < count) {
    const { done, value } = await stream.next();
    if (done === true) break;
    items.push(value);
  }
  return items;
}

/** An item in a few characters. */
function brief(item: StreamItem): string {
  if (item.kind === "snapshot") {
    return `snapshot ${item.why} ${item.seq} [${item.services.map((s) => s.id)}]`;
  }
  return item.kind === "dropped" ? `dropped ${item.count}` : `${item.seq}`;
}

const entry = (id: string) => ({ id, name: id });

Deno.test("events: subscribes as asked and yields the events", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer } = pair;
  const stream = client.events({ events: ["service_state_changed"], services: ["web*"] });
  const request = await peer.acknowledge({ seq: 6 });
  assert.deepEqual(request.params, { events: ["service_state_changed"], services: ["web*"] });
  assert.deepEqual(await stream.ready, { how: "live", epoch: "e1", seq: 6 });
  peer.change(6); // was before the acknowledgement
  peer.change(7);
  peer.change(8, "db"); // does not match
  peer.event("bookmark", {}, 9);
  peer.change(10, "web-2");
  const [first, second] = await take(stream, 2);
  assert.deepEqual([first, second].map((item) => brief(item as StreamItem)), ["7", "10"]);
  assert(first?.kind === "event" && first.event === "service_state_changed");
  assert.equal(first.data.new_state, "failed");
  assert.equal(first.time, "2026-01-01T00:00:00.000Z");
  assert.deepEqual(stream.position, { epoch: "e1", seq: 10 });
});

Deno.test("events: every way to end unsubscribes", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer } = pair;
  let aborter = new AbortController();
  const ways: Array<(stream: EventStream) => unknown> = [
    async (stream) => {
      for await (const _ of stream) break;
    },
    (stream) => stream.close(),
    () => aborter.abort(),
    async (stream) => {
      await using _ = stream;
    },
  ];
  for (const end of ways) {
    aborter = new AbortController();
    const stream: EventStream = client.events({ signal: aborter.signal });
    const { id } = await peer.acknowledge();
    await stream.ready;
    peer.change(1);
    await end(stream);
    const request = await peer.request();
    assert.equal(request.action, "unsubscribe");
    assert.deepEqual(request.params, { subscription: `s-${id}` });
    peer.respond(request, { subscribed: [] });
    assert.deepEqual(await stream.next(), { done: true, value: undefined });
  }
  const stream = client.events({ signal: AbortSignal.abort() });
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
  assert.equal((await failure(stream.ready)).code, "cancelled");
});

Deno.test("events: a refused subscription ends only its stream", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer } = pair;
  for (const code of ["invalid_params", "unavailable"]) {
    const stream = client.events();
    peer.fail(await peer.request(), code);
    assert.equal((await failure(stream.ready)).code, code);
    assert.equal((await failure(stream.next())).code, code);
    assert.deepEqual(await stream.next(), { done: true, value: undefined });
  }
  assert.equal(client.state, "connected");
});

Deno.test("events: joins snapshot pages, then the events meanwhile", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer } = pair;
  const stream = client.events({ snapshot: true, services: ["a*"] });
  const request = await peer.acknowledge({ seq: 5, resumed: "snapshot" });
  assert.equal(request.params["snapshot"], true);
  peer.event("registry_loaded", { services: [entry("a1"), entry("b1")], more: true }, 5);
  peer.change(6, "a1");
  peer.change(5, "a1");
  peer.event("registry_loaded", { services: [entry("a2")], more: false }, 5);
  peer.change(7, "a2");
  assert.deepEqual((await take(stream, 3)).map(brief), ["snapshot requested 5 [a1,a2]", "6", "7"]);
  assert.equal(stream.position?.seq, 7);
});

Deno.test("events: resumes after a lost connection", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer, statuses } = pair;
  const stream = client.events({ services: ["web"] });
  await peer.acknowledge({ seq: 1 });
  await stream.ready;
  peer.change(2);
  peer.event("bookmark", {}, 40);
  assert.deepEqual((await take(stream, 1)).map(brief), ["2"]);
  const next = stream.next();
  peer.close(4408, "slow consumer");
  const second = await server.greet({ seq: 42 });
  const request = await second.acknowledge({ seq: 42, resumed: "replayed" });
  assert.deepEqual(request.params, { services: ["web"], since: { epoch: "e1", seq: 40 } });
  second.change(41);
  second.change(41); // a replay may repeat itself, the stream does not
  second.change(42);
  second.change(43);
  assert.equal(brief((await next).value as StreamItem), "41");
  assert.deepEqual((await take(stream, 2)).map(brief), ["42", "43"]);
  assert.deepEqual(
    statuses.map((status) => status.type),
    ["connected", "disconnected", "reconnecting", "connected", "resumed"],
  );
  assert.deepEqual(statuses[1], {
    type: "disconnected",
    code: 4408,
    reason: "slow consumer",
    willReconnect: true,
  });
  assert.deepEqual(statuses[4], { type: "resumed", epoch: "e1", seq: 42, replayed: true });
  assert.equal(client.hello.seq, 42);
});

Deno.test("events: a snapshot replaces events that are gone", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer, statuses } = pair;
  const stream = client.events();
  await peer.acknowledge({ seq: 900 });
  peer.change(901);
  peer.close();
  const second = await server.greet({ epoch: "e2", seq: 3 });
  const { params } = await second.acknowledge({ epoch: "e2", seq: 3, resumed: "snapshot" });
  assert.deepEqual(params["since"], { epoch: "e1", seq: 901 });
  second.event("registry_loaded", { services: [entry("a")], more: false }, 3);
  second.change(4);
  assert.deepEqual((await take(stream, 3)).map(brief), [
    "901",
    "snapshot events_missed 3 [a]",
    "4",
  ]);
  assert.deepEqual(stream.position, { epoch: "e2", seq: 4 });
  assert.deepEqual(statuses.at(-1), { type: "snapshot", epoch: "e2", seq: 3 });
});

Deno.test("events: a reader that lags in a snapshot resumes there", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer } = pair;
  const stream = client.events({ snapshot: true, bufferSize: 2 });
  await peer.acknowledge({ seq: 5, resumed: "snapshot" });
  peer.event("registry_loaded", { services: [entry("a")], more: true }, 5);
  for (let seq = 6; seq <= 10; seq++) peer.change(seq);
  peer.event("registry_loaded", { services: [entry("b")], more: false }, 5);
  const unsubscribe = await peer.request();
  assert.equal(unsubscribe.action, "unsubscribe");
  peer.respond(unsubscribe, { subscribed: [] });
  assert.deepEqual((await take(stream, 2)).map(brief), ["snapshot requested 5 [a,b]", "6"]);
  const { params } = await peer.acknowledge({ seq: 10, resumed: "replayed" });
  assert.deepEqual(params["since"], { epoch: "e1", seq: 6 });
  for (let seq = 7; seq <= 8; seq++) peer.change(seq);
  assert.deepEqual((await take(stream, 2)).map(brief), ["7", "8"]);
});

Deno.test("events: overflow during a snapshot is fetched again", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer } = pair;
  const stream = client.events({ snapshot: true, bufferSize: 3 });
  const first = stream.next(); // waits, so the snapshot takes no room in the buffer
  await peer.acknowledge({ seq: 5, resumed: "snapshot" });
  for (let seq = 6; seq <= 10; seq++) peer.change(seq);
  peer.event("registry_loaded", { services: [], more: false }, 5);
  assert.equal(brief((await first).value as StreamItem), "snapshot requested 5 []");
  const unsubscribe = await peer.request();
  assert.equal(unsubscribe.action, "unsubscribe");
  peer.respond(unsubscribe, { subscribed: [] });
  assert.deepEqual((await take(stream, 3)).map(brief), ["6", "7", "8"]);
  const { params } = await peer.acknowledge({ seq: 10, resumed: "replayed" });
  assert.deepEqual(params["since"], { epoch: "e1", seq: 8 });
  peer.change(9);
  assert.deepEqual((await take(stream, 1)).map(brief), ["9"]);
});

Deno.test("events: a waiting reader gets the client's error", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const stream = pair.client.events();
  await pair.peer.acknowledge();
  const waiting = [failure(stream.next()), stream.next()];
  pair.peer.close(4400);
  assert.equal(((await waiting[0]) as { code: string }).code, "unavailable");
  assert.deepEqual(await waiting[1], { done: true, value: undefined });
});

Deno.test("events: a lost connection restarts the snapshot", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer } = pair;
  const stream = client.events({ snapshot: true });
  await peer.acknowledge({ seq: 5, resumed: "snapshot" });
  peer.event("registry_loaded", { services: [entry("a")], more: true }, 5);
  peer.change(6);
  peer.close();
  const second = await server.greet();
  const { params } = await second.acknowledge({ seq: 8, resumed: "snapshot" });
  assert.deepEqual(params, { snapshot: true });
  second.event("registry_loaded", { services: [entry("b")], more: false }, 8);
  assert.deepEqual((await take(stream, 1)).map(brief), ["snapshot requested 8 [b]"]);
});

Deno.test("events: opened offline, it begins after the reconnect", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer } = pair;
  server.refuseWith = 503;
  peer.close();
  await eventually(() => client.state === "reconnecting", "the client has noticed");
  client.events({ since: { epoch: "e1", seq: 3 } });
  const error = await failure(client.getService("a"));
  assert.equal(error.details?.["outcome"], "not_sent");
  const waiting = client.getService("a", { waitForConnection: true });
  server.refuseWith = null;
  const second = await server.greet();
  const requests = [await second.request(), await second.request()];
  const call = requests.find((request) => request.action === "get_service");
  const subscribe = requests.find((request) => request.action === "subscribe");
  assert(call !== undefined && subscribe !== undefined);
  assert.deepEqual(subscribe.params, { since: { epoch: "e1", seq: 3 } });
  second.respond(call, { id: "a" });
  assert.deepEqual(await waiting, { id: "a" });
});

Deno.test("waitForConnection: ends by timeout, signal and close", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer } = pair;
  server.refuseWith = 503;
  peer.close();
  await eventually(() => client.state === "reconnecting", "the client has noticed");
  const late = await failure(client.getService("a", { waitForConnection: true, timeoutMs: 20 }));
  assert.equal(late.code, "unavailable");
  const aborter = new AbortController();
  const options = { waitForConnection: true, signal: aborter.signal };
  const aborted = failure(client.getService("a", options));
  aborter.abort();
  assert.equal((await aborted).code, "cancelled");
  const ended = failure(client.getService("a", { waitForConnection: true }));
  await client.close();
  assert.equal((await ended).details?.["outcome"], "not_sent");
});

Deno.test("reconnect: not after 4400", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer, statuses } = pair;
  const stream = client.events();
  await peer.acknowledge();
  peer.close(4400, "too many bad messages");
  const closure = await client.closed;
  assert.equal(closure.code, 4400);
  assert.equal((await failure(stream.next())).code, "unavailable");
  assert.deepEqual(statuses.map((s) => s.type), ["connected", "disconnected", "closed"]);
  assert.equal(server.handshakes, 1);
});

Deno.test("reconnect: asks for the token again; a refusal is final", async () => {
  await using server = new ScriptedServer();
  let token = "one";
  await using pair = await connect(server, { token: () => Promise.resolve(token) });
  token = "two";
  pair.peer.close(1001);
  const second = await server.greet();
  assert.equal(second.headers.get("authorization"), "Bearer two");
  server.refuseWith = 401;
  second.close(1001);
  const closure = await pair.client.closed;
  assert.equal(closure.error?.code, "unauthorized");
});

Deno.test("onStatus: an error in it does not end the client", async () => {
  await using server = new ScriptedServer();
  const uncaught: string[] = [];
  const onError = (event: ErrorEvent) => {
    uncaught.push(event.error.message);
    event.preventDefault();
  };
  globalThis.addEventListener("error", onError);
  try {
    await using pair = await connect(server, {
      onStatus: ({ type }) => {
        throw new Error(type);
      },
    });
    pair.peer.close();
    const second = await server.greet();
    const call = pair.client.heartbeat("a", { waitForConnection: true });
    second.respond(await second.request(), { expires_at: "" });
    await call;
  } finally {
    globalThis.removeEventListener("error", onError);
  }
  assert.deepEqual(uncaught.slice(0, 4), [
    "connected",
    "disconnected",
    "reconnecting",
    "connected",
  ]);
});

Deno.test("reconnect: maxAttempts ends the client", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server, { reconnect: { minDelayMs: 1, maxAttempts: 3 } });
  server.refuseWith = 503;
  pair.peer.close();
  const closure = await pair.client.closed;
  assert.equal(closure.error?.code, "unavailable");
  assert.equal(server.handshakes, 1 + 3);
});

Deno.test("reconnect: waits as long as server_draining asks", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  pair.peer.event("server_draining", { reason: "upgrade", reconnect_after_ms: 30 });
  pair.peer.close(1001, "shutdown");
  await server.greet();
  const draining = pair.statuses.find((status) => status.type === "draining");
  assert.deepEqual(draining, { type: "draining", reason: "upgrade", reconnectAfterMs: 30 });
  const reconnecting = pair.statuses.find((status) => status.type === "reconnecting");
  assert(reconnecting !== undefined && reconnecting.delayMs >= 30);
});

Deno.test("events: a slow reader resumes without a gap", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer } = pair;
  const stream = client.events({ bufferSize: 3 });
  await peer.acknowledge({ seq: 0 });
  await stream.ready;
  for (let seq = 1; seq <= 5; seq++) peer.change(seq); // 4 and 5 do not fit
  const unsubscribe = await peer.request();
  assert.equal(unsubscribe.action, "unsubscribe");
  peer.respond(unsubscribe, { subscribed: [] });
  assert.deepEqual((await take(stream, 3)).map(brief), ["1", "2", "3"]);
  const { params } = await peer.acknowledge({ seq: 6, resumed: "replayed" });
  assert.deepEqual(params["since"], { epoch: "e1", seq: 3 });
  for (let seq = 4; seq <= 6; seq++) peer.change(seq);
  assert.deepEqual((await take(stream, 3)).map(brief), ["4", "5", "6"]);
});

Deno.test("events: a slow reader resumes after a reconnect, too", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer } = pair;
  const stream = client.events({ bufferSize: 1 });
  await peer.acknowledge({ seq: 0 });
  peer.change(1);
  peer.change(2);
  assert.equal((await peer.request()).action, "unsubscribe");
  peer.close();
  const second = await server.greet();
  const call = client.heartbeat("a", { waitForConnection: true });
  const heartbeat = await second.request();
  assert.equal(heartbeat.action, "heartbeat", "nothing is subscribed for a reader that lags");
  second.respond(heartbeat, { expires_at: "" });
  await call;
  assert.deepEqual((await take(stream, 1)).map(brief), ["1"]);
  const { params } = await second.acknowledge({ seq: 2, resumed: "replayed" });
  assert.deepEqual(params["since"], { epoch: "e1", seq: 1 });
  second.change(2);
  assert.deepEqual((await take(stream, 1)).map(brief), ["2"]);
});

Deno.test("events: dropped log lines are counted", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const { client, peer } = pair;
  const stream = client.events({ events: ["service_log"], services: ["web"], bufferSize: 2 });
  await peer.acknowledge();
  await stream.ready;
  const log = (line: string, service = "web") =>
    peer.event("service_log", { service, id: service, line });
  for (const line of ["1", "2", "3", "4"]) log(line);
  log("other", "db");
  const bookmark = client.heartbeat("a"); // answered in order: all lines have arrived
  peer.respond(await peer.request(), {});
  await bookmark;
  const lines = (items: StreamItem[]) =>
    items.map((item) =>
      item.kind === "event" && item.event === "service_log" ? item.data.line : brief(item)
    );
  assert.deepEqual(lines(await take(stream as EventStream, 2)), ["1", "2"]);
  log("5");
  assert.deepEqual(lines(await take(stream as EventStream, 2)), ["dropped 2", "5"]);
  // Log lines cannot be resumed: after a reconnect they go on from then.
  peer.close();
  const second = await server.greet();
  const { params } = await second.acknowledge();
  assert.deepEqual(params, { events: ["service_log"], services: ["web"] });
});

Deno.test("events: a second stream has its own connection", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server, { token: "t" });
  const { client, peer } = pair;
  const first = client.events();
  await peer.acknowledge();
  const second = client.events({ services: ["db"] });
  const other = await server.greet();
  assert.equal(other.headers.get("authorization"), "Bearer t");
  await other.acknowledge();
  await second.ready;
  peer.change(1);
  other.change(2, "db");
  assert.deepEqual((await take(first, 1)).map(brief), ["1"]);
  assert.deepEqual((await take(second, 1)).map(brief), ["2"]);
  second.close();
  await other.closed;
  assert.equal(client.state, "connected");
  first.close();
  peer.respond(await peer.request(), { subscribed: [] });
  const third = client.events();
  await peer.acknowledge();
  await third.ready;
  assert.equal(server.handshakes, 2, "the client's own connection is used again");
});

Deno.test("events: a retryable refusal is retried", async () => {
  await using server = new ScriptedServer();
  await using pair = await connect(server);
  const stream = pair.client.events();
  await pair.peer.acknowledge({ seq: 1 });
  pair.peer.close();
  const second = await server.greet();
  second.fail(await second.request(), "unavailable");
  await second.acknowledge({ seq: 1, resumed: "live" });
  second.change(2);
  assert.deepEqual((await take(stream, 1)).map(brief), ["2"]);
});

import assert from "node:assert/strict";
import { Connection } from "../../src/client/connection.ts";
import { RegistryClient } from "../../src/client/mod.ts";
import { MAX_CLIENT_PENDING_CALLS } from "../../src/client/limits.ts";
import { failure } from "../helpers/rejects.ts";
import { ScriptedServer } from "./scripted_server.ts";

const once = { reconnect: false } as const;

for (
  const [status, code] of [[401, "unauthorized"], [403, "forbidden"], [503, "unavailable"], [
    404,
    "unreachable",
  ]] as const
) {
  Deno.test(`connect: status ${status} of the handshake is ${code}`, async () => {
    await using server = new ScriptedServer();
    server.refuseWith = status;
    const error = await failure(RegistryClient.connect(server.url));
    assert.equal(error.code, code);
    assert.equal(error.details?.["status"], status);
    assert.equal(server.handshakes, 1, "the first connection is tried once");
  });
}

Deno.test("connect: unreachable where nobody listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const error = await failure(RegistryClient.connect(`ws://127.0.0.1:${port}`));
  assert.equal(error.code, "unreachable");
  assert.match(error.message, new RegExp(String(port)));
});

Deno.test("connect: refuses other URLs, and passwords in them", async () => {
  for (const url of ["nonsense", "ftp://x/", "ws://user:secret@127.0.0.1:1/"]) {
    const error = await failure(RegistryClient.connect(url));
    assert.equal(error.code, "invalid_params");
    assert(!error.message.includes("secret"));
  }
});

Deno.test("connect: takes http: URLs as ws:", async () => {
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url.replace("ws:", "http:"), once);
  await server.greet();
  await using client = await connecting;
  assert.equal(client.url, server.url);
});

Deno.test("connect: fails when the first frame is not hello", async () => {
  await using server = new ScriptedServer();
  for (const frame of ['{"type":"event","event":"bookmark","data":{}}', "not json", "[]", "{}"]) {
    const connecting = failure(RegistryClient.connect(server.url));
    (await server.accept()).send(frame);
    assert.equal((await connecting).code, "invalid_request");
  }
});

Deno.test("connect: refuses another protocol version", async () => {
  await using server = new ScriptedServer();
  const connecting = failure(RegistryClient.connect(server.url));
  await server.greet({ protocol: { version: 2, supported: [2] } });
  assert.match((await connecting).message, /protocol version/);
});

Deno.test("connect: times out without hello", async () => {
  await using server = new ScriptedServer();
  // Long enough for the handshake on a machine that is busy: what is missing is hello.
  const error = await failure(RegistryClient.connect(server.url, { connectTimeoutMs: 2_000 }));
  assert.equal(error.code, "timeout");
  await (await server.accept()).closed;
});

Deno.test("connect: its signal aborts it, also before it began", async () => {
  await using server = new ScriptedServer();
  const aborter = new AbortController();
  const connecting = failure(RegistryClient.connect(server.url, { signal: aborter.signal }));
  const peer = await server.accept();
  aborter.abort();
  assert.equal((await connecting).code, "cancelled");
  await peer.closed;
  const again = await failure(RegistryClient.connect(server.url, { signal: aborter.signal }));
  assert.equal(again.code, "cancelled");
});

Deno.test("waitForServer: retries until the server is there", async () => {
  await using server = new ScriptedServer();
  server.refuseWith = 503;
  const statuses: string[] = [];
  const connecting = RegistryClient.connect(server.url, {
    waitForServer: true,
    reconnect: { minDelayMs: 1, maxDelayMs: 5 },
    onStatus: ({ type }) => {
      statuses.push(type);
      if (statuses.length === 3) server.refuseWith = null;
    },
  });
  await server.greet();
  await using client = await connecting;
  assert.equal(client.state, "connected");
  assert(server.handshakes >= 4);
  assert.deepEqual(new Set(statuses), new Set(["reconnecting", "connected"]));
});

Deno.test("waitForServer: ends by signal, maxAttempts, final error", async () => {
  await using server = new ScriptedServer();
  server.refuseWith = 503;
  const options = { waitForServer: true, reconnect: { minDelayMs: 1, maxDelayMs: 5 } };
  const aborter = new AbortController();
  const aborted = failure(
    RegistryClient.connect(server.url, { ...options, signal: aborter.signal }),
  );
  aborter.abort();
  assert.equal((await aborted).code, "cancelled");
  const few = { ...options, reconnect: { minDelayMs: 1, maxAttempts: 2 } };
  assert.equal((await failure(RegistryClient.connect(server.url, few))).code, "unavailable");
  server.refuseWith = 401;
  const handshakes = server.handshakes;
  assert.equal((await failure(RegistryClient.connect(server.url, options))).code, "unauthorized");
  assert.equal(server.handshakes, handshakes + 1);
});

Deno.test("token: sent as a header, or as a subprotocol", async () => {
  await using server = new ScriptedServer();
  for (const tokenTransport of [undefined, "header", "subprotocol"] as const) {
    const options = tokenTransport === undefined ? {} : { tokenTransport };
    const connecting = RegistryClient.connect(server.url, {
      ...once,
      ...options,
      token: "se?cret",
    });
    const peer = await server.greet();
    await using _client = await connecting;
    const offered = peer.headers.get("sec-websocket-protocol") ?? "";
    if (tokenTransport === "subprotocol") {
      assert.equal(offered, "harness.v1, harness.token.c2U_Y3JldA");
      assert.equal(peer.headers.get("authorization"), null);
    } else {
      assert.equal(offered, "harness.v1");
      assert.equal(peer.headers.get("authorization"), "Bearer se?cret");
    }
  }
});

Deno.test("call: matches responses in any order", async () => {
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url, once);
  const peer = await server.greet();
  await using client = await connecting;
  const first = client.call("heartbeat", { name: "a" });
  const second = client.call("heartbeat", { name: "b" });
  const a = await peer.request();
  const b = await peer.request();
  assert.notEqual(a.id, b.id);
  peer.respond(b, { expires_at: "for b" });
  peer.send({ id: null, type: "response", error: { code: "parse_error", message: "whose?" } });
  peer.send({ id: "unknown", type: "response", data: 1 });
  peer.respond(a, { expires_at: "for a" });
  assert.deepEqual(await second, { expires_at: "for b" });
  assert.deepEqual(await first, { expires_at: "for a" });
});

Deno.test("call: the server's error, with an unknown code in details", async () => {
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url, once);
  const peer = await server.greet();
  await using client = await connecting;
  const known = failure(client.getService("a"));
  peer.send({
    id: (await peer.request()).id,
    type: "response",
    error: { code: "ambiguous", message: "which?", retryable: false, details: { ids: ["a@b"] } },
  });
  const { code, message, details } = await known;
  assert.deepEqual({ code, message, details }, {
    code: "ambiguous",
    message: "which?",
    details: { ids: ["a@b"] },
  });
  const unknown = failure(client.getService("a"));
  peer.fail(await peer.request(), "invented_later", "sorry");
  assert.equal((await unknown).code, "internal");
  assert.deepEqual((await unknown).details, { code: "invented_later" });
});

Deno.test("call: cancelled or timed out, it drops the late response", async () => {
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url, once);
  const peer = await server.greet();
  await using client = await connecting;
  const aborter = new AbortController();
  const aborted = failure(client.getService("a", { signal: aborter.signal }));
  const request = await peer.request();
  aborter.abort("enough");
  const error = await aborted;
  assert.equal(error.code, "cancelled");
  assert.equal(error.cause, "enough");
  assert.equal(error.details?.["outcome"], "unknown");
  const late = await failure(client.getService("b", { timeoutMs: 20 }));
  assert.equal(late.code, "timeout");
  peer.respond(request, "late");
  peer.respond(await peer.request(), "late too");
  const before = await failure(client.getService("c", { signal: aborter.signal }));
  assert.equal(before.details?.["outcome"], "not_sent");
  const fine = client.getService("d");
  const last = await peer.request();
  assert.equal(last.params["name"], "d", "an aborted call was never sent");
  peer.respond(last, { id: "d" });
  assert.deepEqual(await fine, { id: "d" });
});

Deno.test("call: outcome unknown when the connection is lost", async () => {
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url, once);
  const peer = await server.greet();
  await using client = await connecting;
  const calls = [failure(client.getService("a")), failure(client.heartbeat("b"))];
  await peer.request();
  await peer.request();
  peer.close(1011, "oops");
  for (const error of await Promise.all(calls)) {
    assert.equal(error.code, "unavailable");
    assert.equal(error.retryable, true);
    assert.equal(error.details?.["outcome"], "unknown");
    assert.equal(error.details?.["close_code"], 1011);
  }
  const closure = await client.closed;
  assert.equal(closure.code, 1011);
  assert.equal(closure.error?.code, "unavailable");
  const after = await failure(client.getService("a"));
  assert.equal(after.details?.["outcome"], "not_sent");
});

Deno.test("connection: ends at a frame that is no message", async () => {
  await using server = new ScriptedServer();
  for (
    const frame of ["{", '"text"', '{"type":"response"}', '{"type":"event","event":1}', "null"]
  ) {
    const connecting = RegistryClient.connect(server.url);
    const peer = await server.greet();
    await using client = await connecting;
    peer.send(frame);
    const closure = await client.closed;
    assert.equal(closure.code, 1002, frame);
    assert.equal(client.state, "closed");
    await peer.closed;
  }
  const connecting = RegistryClient.connect(server.url);
  const peer = await server.greet();
  await using client = await connecting;
  peer.sendBinary(new TextEncoder().encode("{}"));
  assert.equal((await client.closed).code, 1002);
});

Deno.test("connection: ignores an unknown event", async () => {
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url, once);
  const peer = await server.greet();
  await using client = await connecting;
  const stream = client.events();
  await peer.acknowledge();
  await stream.ready;
  peer.event("service_teleported", { service: "web", id: "web" }, 1);
  peer.change(2);
  const { value } = await stream.next();
  assert(value?.kind === "event");
  assert.equal(value.seq, 2);
});

Deno.test("call: a request over the server's limit is not sent", async () => {
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url, once);
  const peer = await server.greet({ limits: { max_message_bytes: 1000 } });
  await using client = await connecting;
  const error = await failure(client.getService("ü".repeat(500)));
  assert.equal(error.code, "too_large");
  const call = client.getService("ü".repeat(300));
  peer.respond(await peer.request(), { id: "fine" });
  assert.deepEqual(await call, { id: "fine" });
});

Deno.test("call: too many in flight are refused", async () => {
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url, once);
  const peer = await server.greet();
  const client = await connecting;
  const calls = Array.from(
    { length: MAX_CLIENT_PENDING_CALLS },
    () => failure(client.getService("a")),
  );
  const error = await failure(client.getService("a"));
  assert.equal(error.code, "rate_limited");
  assert.equal(error.details?.["outcome"], "not_sent");
  peer.close();
  for (const lost of await Promise.all(calls)) assert.equal(lost.code, "unavailable");
  await client.close();
});

Deno.test("webSocket: a class without headers gets a subprotocol", async () => {
  const seen: unknown[][] = [];
  class Plain extends WebSocket {
    constructor(url: string, protocols: string[] = []) {
      super(url, protocols);
      seen.push([url, protocols]);
    }
  }
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url, { ...once, webSocket: Plain, token: "t" });
  await server.greet();
  await using _client = await connecting;
  assert.deepEqual(seen, [[server.url, ["harness.v1", "harness.token.dA"]]]);
  const headers = { "x-proxy": "1" };
  const refused = RegistryClient.connect(server.url, { webSocket: Plain, headers });
  assert.match((await failure(refused)).message, /takes none/);
});

Deno.test("webSocket: an error without a close event is enough", async () => {
  // As Node's own does when a handshake is refused.
  class Mute {
    readonly protocol = "";
    send(): void {}
    close(): void {}
    addEventListener(type: string, listener: (event: unknown) => void): void {
      if (type === "error") queueMicrotask(() => listener({ message: "non-101 status code" }));
    }
  }
  const error = await failure(RegistryClient.connect("ws://127.0.0.1:1", { webSocket: Mute }));
  assert.equal(error.code, "unreachable");
  assert.match(error.message, /non-101/);
});

Deno.test("webSocket: a 400 of one that tries once is the answer", async () => {
  // As npm:ws says it; Deno's own class would have asked a second time, over HTTP/2.
  let handshakes = 0;
  class Once {
    readonly protocol = "";
    constructor() {
      handshakes++;
    }
    send(): void {}
    close(): void {}
    addEventListener(type: string, listener: (event: unknown) => void): void {
      const message = "Unexpected server response: 400";
      if (type === "error") queueMicrotask(() => listener({ message }));
    }
  }
  const error = await failure(
    RegistryClient.connect("wss://127.0.0.1:1", { webSocket: Once, waitForServer: true }),
  );
  assert.equal(error.code, "invalid_request");
  assert.equal(handshakes, 1);
});

Deno.test("webSocket: an error of the constructor is reported", async () => {
  class Broken extends WebSocket {
    constructor() {
      super("ws://127.0.0.1:1", ["not a token"]);
    }
  }
  const error = await failure(RegistryClient.connect("ws://127.0.0.1:1", { webSocket: Broken }));
  assert.equal(error.code, "invalid_params");
});

Deno.test("connection: notices a server that stopped responding", async () => {
  await using server = new ScriptedServer();
  // It is also the time for the answer to the first probe, which must not be late on a busy machine.
  const connecting = RegistryClient.connect(server.url, { ...once, idleProbeMs: 1_000 });
  const peer = await server.greet();
  await using client = await connecting;
  const probe = await peer.request();
  assert.equal(probe.action, "list_services");
  peer.respond(probe, []);
  await peer.request();
  const closure = await client.closed;
  assert.equal(closure.code, 1006);
  assert.match(closure.reason, /stopped responding/);
});

Deno.test("close: ends all, rejects calls in flight, is idempotent", async () => {
  await using server = new ScriptedServer();
  const connecting = RegistryClient.connect(server.url);
  const peer = await server.greet();
  const client = await connecting;
  const call = failure(client.getService("a"));
  await peer.request();
  const stream = client.events();
  const next = stream.next();
  await Promise.all([client.close(), client.close()]);
  assert.equal((await call).details?.["outcome"], "unknown");
  assert.deepEqual(await next, { done: true, value: undefined });
  assert.deepEqual(await client.closed, { code: 1000, reason: "client closed", error: null });
  assert.equal((await peer.closed).code, 1000);
  await client.close();
  const late = client.events();
  assert.equal((await failure(late.ready)).code, "unavailable");
  assert.equal((await failure(late.next())).code, "unavailable");
});

Deno.test("close: does not wait long for a silent peer", async () => {
  // A TCP server that does the handshake and then never reads or writes again.
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const peer = (async () => {
    const conn = await listener.accept();
    await answerHandshake(conn);
    return conn;
  })();
  const connection = await Connection.open(`ws://127.0.0.1:${listener.addr.port}/`);
  const conn = await peer;
  const closure = await connection.close();
  assert.equal(closure.code, 1006);
  conn.close();
  listener.close();
});

async function answerHandshake(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(4096);
  const length = await conn.read(buffer) ?? 0;
  const request = new TextDecoder().decode(buffer.subarray(0, length));
  const key = /sec-websocket-key: (.+)\r/i.exec(request)?.[1] ?? "";
  const digest = await crypto.subtle.digest(
    "SHA-1",
    new TextEncoder().encode(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`),
  );
  const accept = btoa(String.fromCharCode(...new Uint8Array(digest)));
  const hello = JSON.stringify({
    type: "event",
    event: "hello",
    time: "",
    data: { protocol: { version: 1 }, limits: {} },
  });
  const text = new TextEncoder().encode(hello);
  await conn.write(
    new TextEncoder().encode(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n` +
        `sec-websocket-protocol: harness.v1\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
    ),
  );
  await conn.write(new Uint8Array([0x81, text.length, ...text]));
}

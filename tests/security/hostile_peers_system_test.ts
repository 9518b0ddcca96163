/** One table of hostile peers: memory stays bounded, others are served, all recover. */
import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { startServer as startProgram, type TestServer } from "../helpers/cli.ts";
import { eventually, RawClient } from "../helpers/raw_client.ts";
import { LISTENERS, startServer } from "../helpers/test_server.ts";
import { TEST_TLS } from "../helpers/tls.ts";
import { Peers, untilServed } from "./peers.ts";

const MIB = 1024 * 1024;
/** Peers of a kind at once. */
const PEERS = 20;
/** Bytes that a flood sends on each connection, unless it is stopped before. */
const FLOOD_BYTES = 8 * MIB;
/** A loose bound: pipelined requests make many short-lived objects before their sender is dropped. */
const MAX_GROWTH_BYTES = 400 * MIB;

const HOST = "host: localhost\r\n";
const UPGRADE =
  `GET / HTTP/1.1\r\n${HOST}connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n`;
const WEBSOCKET = `${UPGRADE}sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

/** What each kind of peer sends first, and then again and again. */
const FLOODS: Readonly<Record<string, [first: string, then: string]>> = {
  "silence": ["", ""],
  "half a head": [`GET /healthz HTTP/1.1\r\n${HOST}x-a: `, ""],
  "half an upgrade": [UPGRADE, ""],
  "a refused upgrade": [WEBSOCKET.replace("version: 13", "version: 12"), ""],
  "one endless header": [`GET /healthz HTTP/1.1\r\n${HOST}x-a: `, "x".repeat(65_536)],
  "endless headers": [`GET /healthz HTTP/1.1\r\n${HOST}`, "x-a: b\r\n".repeat(8192)],
  "an endless request line": ["GET /", "x".repeat(65_536)],
  "an endless chunked body of a GET": [
    `GET /healthz HTTP/1.1\r\n${HOST}transfer-encoding: chunked\r\n\r\n`,
    `10000\r\n${"x".repeat(65_536)}\r\n`,
  ],
  "endless chunk extensions": [
    `POST /healthz HTTP/1.1\r\n${HOST}transfer-encoding: chunked\r\n\r\n1;`,
    "x".repeat(65_536),
  ],
  "a long body that nobody wants": [
    `POST /healthz HTTP/1.1\r\n${HOST}content-length: 9000000000\r\n\r\n`,
    "x".repeat(65_536),
  ],
  "an upload that is refused": [
    `PUT /packages/a-1.0.0.tar.gz HTTP/1.1\r\n${HOST}content-length: 9000000000\r\nauthorization: Bearer wrong\r\n\r\n`,
    "x".repeat(65_536),
  ],
  "pipelined requests": ["", `GET /healthz HTTP/1.1\r\n${HOST}\r\n`.repeat(1000)],
  "pipelined HEADs": ["", `HEAD /healthz HTTP/1.1\r\n${HOST}\r\n`.repeat(1000)],
  "nonsense": ["", "\u0000\u0001nonsense\r\n\r\n".repeat(4096)],
  "HTTP/2 without TLS": ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\u0000".repeat(65_536)],
  "a frame of 4 EiB": [WEBSOCKET + "\u0001\u007f\u003f".padEnd(10, "\u007f"), "x".repeat(65_536)],
  "endless fragments": [WEBSOCKET, "\u0001\u0000".repeat(32_768)],
};

/** Sends until the server has had enough, or for so many bytes; reads nothing. */
async function flood(port: number, [first, then]: [string, string], peers: Deno.Conn[]) {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  peers.push(conn);
  const repeated = new TextEncoder().encode(then);
  try {
    await conn.write(new TextEncoder().encode(first));
    for (let sent = 0; then !== "" && sent < FLOOD_BYTES;) sent += await conn.write(repeated);
  } catch {
    // It was stopped.
  }
}

/** Waits for something, but not for ever. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([work, new Promise((resolve) => timer = setTimeout(resolve, ms))]);
  clearTimeout(timer);
}

async function isServed({ url }: TestServer): Promise<void> {
  await using client = await RawClient.ready(url);
  await client.call("list_services");
  const response = await fetch(`${url.replace(/^ws/, "http")}/healthz`);
  assert.deepEqual(await response.json(), { status: "ok" });
}

async function rssOf(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024;
}

async function openFilesOf(pid: number): Promise<number> {
  return (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length;
}

for (const listener of LISTENERS) {
  const name = (text: string) => `${listener} listener: ${text}`;

  Deno.test(name("outlives every hostile peer"), async (t) => {
    await using server = await startProgram(["--listener", listener]);
    const port = Number(new URL(server.url).port);
    const { pid } = server.cli;
    await using established = await RawClient.ready(server.url);
    await isServed(server);
    for (const [kind, bytes] of Object.entries(FLOODS)) {
      await t.step(kind, async () => {
        const before = await rssOf(pid);
        const files = await openFilesOf(pid);
        const conns: Deno.Conn[] = [];
        try {
          const floods = Array.from({ length: PEERS }, () => flood(port, bytes, conns));
          await untilServed(() => isServed(server), `beside ${kind}`);
          await established.call("list_services");
          // A flood that is not read any more stays where it is.
          await within(3000, Promise.all(floods));
          await untilServed(() => isServed(server), `after ${kind}`);
          const growth = await rssOf(pid) - before;
          assert.ok(growth < MAX_GROWTH_BYTES, `grew by ${Math.round(growth / MIB)} MiB`);
        } finally {
          for (const conn of conns) conn.close();
        }
        await eventually(
          async () => await openFilesOf(pid) <= files + 5,
          "their descriptors are free",
        );
        await isServed(server);
      });
    }
  });

  Deno.test(name("outlives peers of its TLS port"), async () => {
    await using running = await startServer({ listener, tls: TEST_TLS, headersTimeoutMs: 500 });
    const { port } = running.server;
    const client = Deno.createHttpClient({ caCerts: [TEST_TLS.cert] });
    const isUp = async () => {
      const response = await fetch(`https://localhost:${port}/healthz`, { client });
      assert.deepEqual(await response.json(), { status: "ok" });
    };
    await isUp();
    {
      using peers = new Peers();
      await peers.open(20, port); // never shake hands
      await peers.open(20, port, "\u0016\u0003\u0001\u0002\u0000\u0001"); // or begin to
      await peers.open(20, port, `GET /healthz HTTP/1.1\r\n${HOST}\r\n`); // or know of no TLS
      await isUp();
      await eventually(() => Promise.resolve(peers.dropped >= 60), "all 60 are dropped");
    }
    await isUp();
    client.close();
  });

  Deno.test(name("outlives HTTP/2 streams that are reset at once"), async () => {
    await using running = await startServer({ listener, tls: TEST_TLS });
    const { port } = running.server;
    const session = connectHttp2(`https://localhost:${port}`, { ca: TEST_TLS.cert });
    session.on("error", () => {});
    const closed = new Promise((resolve) => session.once("close", resolve));
    for (let i = 0; i < 5000 && !session.destroyed; i++) {
      try {
        const stream = session.request({ ":path": "/healthz" });
        stream.on("error", () => {});
        stream.close(8);
      } catch {
        break; // the server has ended the session
      }
    }
    const client = Deno.createHttpClient({ caCerts: [TEST_TLS.cert] });
    const response = await fetch(`https://localhost:${port}/healthz`, { client });
    assert.deepEqual(await response.json(), { status: "ok" });
    client.close();
    session.destroy();
    await closed;
  });
}

/** Peers that the `ws` listener drops by itself, by what they sent. */
const IDLE: Readonly<Record<string, string>> = {
  "nothing": "",
  "half a head": `GET /healthz HTTP/1.1\r\n${HOST}x-a: `,
  "a request, and nothing more": `GET /healthz HTTP/1.1\r\n${HOST}\r\n`,
  "a refused upgrade": WEBSOCKET.replace("version: 13", "version: 12"),
  "a body that does not come": `POST /healthz HTTP/1.1\r\n${HOST}content-length: 900\r\n\r\n`,
  "an answer to another upgrade":
    `GET /healthz HTTP/1.1\r\n${HOST}connection: upgrade\r\nupgrade: h2c\r\n\r\n`,
  "a body of a GET without end":
    `GET /healthz HTTP/1.1\r\n${HOST}transfer-encoding: chunked\r\n\r\n10\r\nx`,
};

for (const listener of LISTENERS) {
  Deno.test(`${listener} listener: drops idle peers without a request`, async () => {
    await using running = await startServer({ listener, headersTimeoutMs: 400 });
    const { port } = running.server;
    await using client = await RawClient.ready(running.url);
    for (const [kind, bytes] of Object.entries(IDLE)) {
      using peers = new Peers();
      await peers.open(5, port, bytes);
      await eventually(() => Promise.resolve(peers.dropped === 5), `dropped after ${kind}`);
    }
    // A WebSocket is not idle, however quiet it is.
    await client.call("list_services");
  });
}

Deno.test("ws listener: drops peers that send after a broken frame", async () => {
  await using running = await startServer({ listener: "ws" });
  using peers = new Peers();
  await peers.open(5, running.server.port, WEBSOCKET + "\u0001\u0000"); // no mask
  await eventually(() => Promise.resolve(peers.dropped === 5), "they are dropped");
});

Deno.test("ws listener: the longest idle one makes room", async () => {
  await using running = await startServer({ listener: "ws", limits: { maxConnections: 4 } });
  using peers = new Peers();
  await peers.open(300, running.server.port); // 256 more than WebSockets are allowed
  await using client = await RawClient.ready(running.url);
  await client.call("list_services");
  await eventually(() => Promise.resolve(peers.dropped >= 40), "the first ones are dropped");
});

/** Sends empty messages without end, and ends when it is dropped. */
const FLOODER = `
const [hostname, port] = ["127.0.0.1", Number(Deno.args[0])];
const conn = await Deno.connect({ hostname, port });
const head = ["GET / HTTP/1.1", "Host: x.localhost", "Upgrade: websocket", "Connection: Upgrade",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", ""];
await conn.write(new TextEncoder().encode(head.join("\\r\\n")));
await conn.read(new Uint8Array(4096));
const frames = new Uint8Array(60_000);
for (let at = 0; at < frames.length; at += 6) frames.set([0x81, 0x80], at);
try {
  for (;;) await conn.write(frames);
} catch {
  console.log("dropped");
}
`;

for (const listener of LISTENERS) {
  Deno.test(`flood ${listener}: others are served, flooder dropped`, async () => {
    await using running = await startServer({ listener });
    await using client = await RawClient.ready(running.url);
    const args = ["run", "-A", "-", String(running.server.port)];
    const flooder = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped" })
      .spawn();
    const stdin = flooder.stdin.getWriter();
    await stdin.write(new TextEncoder().encode(FLOODER));
    await stdin.close();
    let ended = false;
    const output = flooder.output().finally(() => ended = true);
    // It never stops by itself: where it is the only one heard, this does not end.
    while (!ended) await client.call("list_services", {});
    assert.equal(new TextDecoder().decode((await output).stdout), "dropped\n");
  });
}

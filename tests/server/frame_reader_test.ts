/** Texts that are read without the receiver of `ws`: whatever arrives, the outcome is the one that `ws` alone has. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { Duplex } from "node:stream";
import fc from "fast-check";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { readTexts } from "../../src/server/listeners/frame_reader.ts";
import { SharedReads } from "../../src/server/listeners/shared_reads.ts";

const MAX_BYTES = 70_000;

/** A connection without a network. */
function withoutNetwork(log: unknown[]): Duplex {
  return new Duplex({
    read() {},
    write(bytes: Buffer, _encoding, done) {
      log.push(["sent", bytes.toString("hex")]);
      done();
    },
  });
}

interface OpenOptions {
  readonly log?: unknown[];
  readonly connection?: Duplex;
  readonly reads?: SharedReads;
  readonly maxBufferedChunks?: number;
}

/** A socket of `ws`; `log` has what it reported, and sent where there is no network. */
function open(
  fast: boolean,
  { log = [], connection = withoutNetwork(log), reads = new SharedReads(), ...bounds }:
    OpenOptions = {},
) {
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_BYTES, ...bounds });
  const headers = {
    upgrade: "websocket",
    "sec-websocket-key": Buffer.alloc(16).toString("base64"),
    "sec-websocket-version": "13",
  };
  const request = { method: "GET", url: "/", headers } as unknown as IncomingMessage;
  let ws: WebSocket | undefined;
  let isFast = false;
  /** Texts that went past `ws`. */
  let past = 0;
  server.handleUpgrade(request, connection, Buffer.alloc(0), (opened) => {
    ws = opened;
    opened.on("message", (data: Buffer, isBinary: boolean) => {
      log.push(isBinary ? ["binary", data.toString("hex")] : ["text", data.toString()]);
    });
    opened.on("ping", (data: Buffer) => log.push(["ping", data.toString("hex")]));
    opened.on("error", (error) => log.push(["error", error.message]));
    opened.on("close", (code) => log.push(["close", code]));
    if (!fast) return;
    isFast = readTexts(opened, connection, {
      maxBytes: MAX_BYTES,
      reads,
      onText: (text) => {
        past++;
        log.push(["text", text]);
      },
    });
  });
  assert.ok(ws !== undefined);
  return { ws, connection, log, isFast, past: () => past };
}

/** A frame of a client. */
function frame(first: number, payload: Uint8Array, mask: readonly number[] | null): Buffer {
  const { length } = payload;
  const bit = mask === null ? 0 : 0x80;
  const head = length < 126
    ? [first, bit | length]
    : length < 65_536
    ? [first, bit | 126, length >> 8, length & 255]
    : [first, bit | 127, 0, 0, 0, 0, 0, length >> 16, length >> 8 & 255, length & 255];
  const masked = payload.map((byte, at) => byte ^ (mask?.[at % 4] ?? 0));
  return Buffer.concat([Buffer.from([...head, ...mask ?? []]), masked]);
}

const bytes = (text: string) => new TextEncoder().encode(text);
const maskOf = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 });
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.constantFrom("x".repeat(125), "x".repeat(126), "é".repeat(70), "x".repeat(65_535)),
).map(bytes);

/** Mostly whole texts, among everything else that a client can send. */
const frames = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: fc.tuple(fc.constant([0x81]), text) },
    { weight: 2, arbitrary: fc.tuple(fc.constant([0x01, 0x00, 0x80]), text) },
    { weight: 1, arbitrary: fc.tuple(fc.constant([0x01, 0x89, 0x80]), text) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom([0x82], [0x89], [0x8a]), text) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom([0x01], [0x00], [0xc1], [0x88]), text) },
    { weight: 1, arbitrary: fc.tuple(fc.constant([0x81]), fc.uint8Array()) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constant([0x81]), fc.constant(new Uint8Array(MAX_BYTES + 1))),
    },
  ).chain(([firsts, payload]) =>
    fc.tuple(
      fc.oneof({ weight: 30, arbitrary: maskOf }, { weight: 1, arbitrary: fc.constant(null) }),
      fc.constant({ firsts, payload }),
    )
  ),
  { minLength: 1, maxLength: 12 },
).map((all) =>
  all.flatMap(([mask, { firsts, payload }]) => firsts.map((first) => frame(first, payload, mask)))
);

/** Cuts the stream in chunks: between frames, or anywhere. */
const chunks = fc.tuple(frames, fc.array(fc.nat(200), { maxLength: 8 })).map(([all, cuts]) => {
  const stream = Buffer.concat(all);
  if (cuts.length === 0) return all;
  const pieces: Buffer[] = [];
  let at = 0;
  for (const cut of cuts) {
    pieces.push(stream.subarray(at, at + cut));
    at += cut;
  }
  return [...pieces, stream.subarray(at)].filter(({ length }) => length > 0);
});

async function outcome(fast: boolean, pieces: readonly Buffer[], together: boolean) {
  const socket = open(fast);
  await new Promise((resolve) => setTimeout(resolve, 0));
  if (together) socket.connection.pause(); // then they are delivered in one go
  for (const piece of pieces) {
    socket.connection.push(Buffer.from(piece));
    if (!together) await new Promise((resolve) => setImmediate(resolve));
  }
  if (together) socket.connection.resume();
  await new Promise((resolve) => setTimeout(resolve, 0));
  socket.connection.destroy();
  await new Promise((resolve) => setTimeout(resolve, 0));
  return socket;
}

Deno.test("readTexts: the outcome is that of ws alone", async () => {
  await fc.assert(
    fc.asyncProperty(chunks, fc.boolean(), async (pieces, together) => {
      const [fast, plain] = [
        await outcome(true, pieces, together),
        await outcome(false, pieces, together),
      ];
      assert.deepEqual(fast.log, plain.log);
    }),
    { numRuns: 150 },
  );
});

/** Sends each of two clients its pieces, in turns; what their sockets reported. */
async function outcomesOverTcp(fast: boolean, clients: readonly (readonly Buffer[])[]) {
  const reads = new SharedReads();
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const ends = [];
  for (const pieces of clients) {
    const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
    const client = connect(port, "127.0.0.1");
    const log: unknown[] = [];
    const { ws, past } = open(fast, { connection: await accepted, log, reads });
    const closed = new Promise((resolve) => ws.once("close", resolve));
    client.resume();
    client.on("error", () => {}); // a reset, when it writes to a connection that was dropped
    client.setNoDelay();
    ends.push({ pieces, client, log, past, closed });
  }
  for (let at = 0; ends.some(({ pieces }) => at < pieces.length); at++) {
    for (const { pieces, client } of ends) client.write(pieces[at] ?? "");
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const { client } of ends) client.end();
  await Promise.all(ends.map(({ closed }) => closed));
  server.close();
  return ends.map(({ log, past }) => ({ log, past: past() }));
}

Deno.test("readTexts: two sockets with one buffer", async () => {
  let past = 0;
  await fc.assert(
    fc.asyncProperty(chunks, chunks, async (...clients) => {
      const fast = await outcomesOverTcp(true, clients);
      const plain = await outcomesOverTcp(false, clients);
      assert.deepEqual(fast.map(({ log }) => log), plain.map(({ log }) => log));
      past += fast.reduce((sum, one) => sum + one.past, 0);
    }),
    { numRuns: 50 },
  );
  assert.ok(past > 0);
});

Deno.test("readTexts: knows the fields of this version of ws", async () => {
  const pieces = ["one", "two", ""].map((it) => frame(0x81, bytes(it), [1, 2, 3, 4]));
  const { isFast, past, log } = await outcome(true, [Buffer.concat(pieces)], false);
  assert.ok(isFast, "a new version has other fields: ws reads all, which is right, but slower");
  assert.equal(past(), 3);
  const texts = log.filter((entry) => (entry as [string])[0] === "text");
  assert.deepEqual(texts, [["text", "one"], ["text", "two"], ["text", ""]]);
});

Deno.test("readTexts: takes a large message byte by byte", async () => {
  const { ws, connection, log, isFast } = open(true, { maxBufferedChunks: 1000 });
  assert.ok(isFast);
  const { _receiver: receiver } = ws as unknown as { _receiver: { _buffers: unknown[] } };
  const text = "x".repeat(5000);
  let most = 0;
  for (
    const fragments of [[frame(0x81, bytes(text), [7, 8, 9, 1])], [
      frame(0x01, bytes(text.slice(0, 2000)), [7, 8, 9, 1]),
      frame(0x80, bytes(text.slice(2000)), [1, 2, 3, 4]),
    ]]
  ) {
    for (const byte of Buffer.concat(fragments)) {
      connection.push(Buffer.from([byte]));
      await Promise.resolve();
      most = Math.max(most, receiver._buffers.length);
    }
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.deepEqual(log.slice(-2), [["text", text], ["text", text]]);
  assert.ok(most > 1 && most < 1000, `${most} chunks are kept`);
  connection.destroy();
});

Deno.test("readTexts: leaves all to a ws with other fields", () => {
  const { ws, connection } = open(false);
  const options = {
    maxBytes: MAX_BYTES,
    reads: new SharedReads(),
    onText: () => assert.fail("was read"),
  };
  const listeners = connection.listeners("data");
  const { _receiver: receiver } = ws as unknown as { _receiver: { _state?: number } };
  delete receiver._state;
  assert.equal(readTexts(ws, connection, options), false);
  assert.deepEqual(connection.listeners("data"), listeners);
  connection.destroy();
});

Deno.test("readTexts: nothing is read after the connection was dropped", async () => {
  const { ws, connection, log } = open(false);
  readTexts(ws, connection, {
    maxBytes: MAX_BYTES,
    reads: new SharedReads(),
    onText: (it) => {
      log.push(it);
      if (it === "two") ws.terminate();
    },
  });
  const all = ["one", "two", "three"].map((it) => frame(0x81, bytes(it), [9, 9, 9, 9]));
  connection.push(Buffer.concat(all));
  await new Promise((resolve) => ws.once("close", resolve));
  assert.deepEqual(log.filter((it) => typeof it === "string"), ["one", "two"]);
});

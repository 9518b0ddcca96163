/** Text frames: encoded once, joined in few writes, in order, whole, and never after a close frame. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { Duplex, PassThrough } from "node:stream";
import { Registry } from "../../src/registry/registry.ts";
import { ConnectionHandler } from "../../src/server/handler.ts";
import { FrameQueue, FrameWriter } from "../../src/server/listeners/frame_writer.ts";
import { WsSockets } from "../../src/server/listeners/ws_sockets.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { eventually } from "../helpers/raw_client.ts";
import { RawSocket } from "../helpers/raw_socket.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";

/** A connection that keeps what is written to it. */
function recorder() {
  const socket = new PassThrough();
  const writes: Uint8Array[] = [];
  socket.on("data", (bytes: Uint8Array) => writes.push(bytes));
  return { socket, writes };
}

const decoder = new TextDecoder();

const HANDSHAKE = {
  host: "localhost",
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

Deno.test("FrameWriter: a burst is one write, shared by sockets", async () => {
  const writer = new FrameWriter();
  const sockets = [recorder(), recorder()];
  const queues = sockets.map(({ socket }) => new FrameQueue(writer, socket));
  for (const text of ["one", "two", "three"]) {
    for (const queue of queues) queue.add(text, "many");
  }
  assert.deepEqual(queues.map(({ bytes }) => bytes), [17, 17]);
  await eventually(() => sockets.every(({ writes }) => writes.length === 1), "both writes");
  const [first, second] = sockets.map(({ writes }) => writes[0]);
  assert.equal(decoder.decode(first), "\ufffd\x03one\ufffd\x03two\ufffd\x05three");
  assert.equal(first?.buffer, second?.buffer, "joined twice");
  assert.deepEqual(queues.map(({ bytes }) => bytes), [0, 0]);
});

Deno.test("FrameWriter: an answer keeps its place among events", async () => {
  const writer = new FrameWriter();
  const { socket, writes } = recorder();
  const queue = new FrameQueue(writer, socket);
  // A first round makes the next events wait.
  queue.add("event 0", "many");
  await eventually(() => writes.length === 1, "the first round");
  queue.add("event 1", "many");
  queue.add("answer", "one");
  queue.add("event 2", "many");
  await eventually(() => queue.bytes === 0, "an empty queue");
  assert.match(writes.map((bytes) => decoder.decode(bytes)).join(""), /0.*1.*answer.*2/);
});

Deno.test("FrameWriter: lengths are those of the bytes", async () => {
  const writer = new FrameWriter();
  const { socket, writes } = recorder();
  for (
    const [length, ...head] of [
      [0, 0],
      [125, 125],
      [126, 126, 0, 126],
      [65_535, 126, 255, 255],
      [65_536, 127, 0, 0, 0, 0, 0, 1, 0, 0],
    ] as const
  ) {
    const text = length % 2 === 1 ? `x${"é".repeat(length / 2)}` : "é".repeat(length / 2);
    const queue = new FrameQueue(writer, socket);
    queue.add(text, "one");
    assert.equal(queue.bytes, 1 + head.length + length);
    await eventually(() => writes.length > 0, "a frame");
    const frame = writes.flatMap((bytes) => [...bytes]);
    writes.length = 0;
    assert.deepEqual(frame.slice(0, 1 + head.length), [0x81, ...head]);
    assert.equal(decoder.decode(new Uint8Array(frame.slice(1 + head.length))), text);
  }
});

Deno.test("FrameWriter: a connection that is gone gets nothing", async () => {
  const writer = new FrameWriter();
  const { socket, writes } = recorder();
  const queue = new FrameQueue(writer, socket);
  queue.add("late", "one");
  socket.destroy();
  await eventually(() => queue.bytes === 0, "an empty queue");
  assert.deepEqual(writes, []);
});

Deno.test("WsSockets: the hello is first, before a pong, too", async () => {
  const registry = await Registry.open(new MemoryStore());
  await using handler = new ConnectionHandler({ registry });
  const decision = handler.checkUpgrade(new Request("http://localhost/", { headers: HANDSHAKE }));
  assert.ok(decision.ok);
  const writes: string[] = [];
  const socket = new Duplex({
    read() {},
    write(bytes: Uint8Array, _encoding, done) {
      writes.push(decoder.decode(bytes.subarray(0, 9)));
      done();
    },
  });
  const request = { method: "GET", url: "/", headers: HANDSHAKE } as unknown as IncomingMessage;
  const sockets = new WsSockets(handler);
  sockets.accept({ request, socket, head: Buffer.alloc(0), admission: decision.admission });
  // A runtime reads as long as there is something, before it runs what waits: the peer has its 101 by now.
  socket.emit("data", Buffer.from([0x89, 0x80, 0, 0, 0, 0]));
  await eventually(() => writes.length >= 3, "three writes");
  assert.deepEqual(writes.map((it) => it.slice(0, 1)), ["H", "\ufffd", "\ufffd"]);
  assert.match(writes[1] ?? "", /^\ufffd~/, "first the hello, a text of more than 125 bytes");
  sockets.close();
  socket.destroy();
  await registry.close();
});

for (const listener of LISTENERS) {
  Deno.test(`server ${listener}: answers come before the close frame`, async () => {
    await using running = await startServer({ listener });
    using socket = await RawSocket.open({ port: running.server.port });
    await running.registry.register(service("api"));
    // Both in one piece, as a client that asks and leaves sends them.
    const request = '{"id":"1","type":"request","action":"get_service","params":{"name":"api"}}';
    const text = new TextEncoder().encode(request);
    const zeros = [0, 0, 0, 0];
    await socket.write(
      new Uint8Array([0x81, 0x80 | text.length, ...zeros, ...text, 0x88, 0x82, ...zeros, 3, 232]),
    );
    const opcodes: number[] = [];
    for await (const { opcode } of socket.frames()) opcodes.push(opcode);
    assert.deepEqual(opcodes, [1, 1, 8]);
  });
}

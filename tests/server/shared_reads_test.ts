/** Reads of many sockets into one buffer: taken where the runtime can, and nothing of one socket reaches another. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect, createServer, type Socket } from "node:net";
import { Duplex, type Readable } from "node:stream";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { SharedReads } from "../../src/server/listeners/shared_reads.ts";
import { TEST_TLS } from "../helpers/tls.ts";

/** Both ends of a connection. */
interface Pair extends Disposable {
  readonly client: Socket;
  readonly server: Socket;
}

async function pair(secure = false): Promise<Pair> {
  const listener = secure ? createTlsServer(TEST_TLS) : createServer();
  const accepted = new Promise<Socket>((resolve) => {
    listener.once(secure ? "secureConnection" : "connection", resolve);
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as { port: number };
  const client = secure
    ? connectTls({ host: "127.0.0.1", port, ca: TEST_TLS.cert })
    : connect(port, "127.0.0.1");
  const server = await accepted;
  return {
    client,
    server,
    [Symbol.dispose]() {
      client.destroy();
      server.destroy();
      listener.close();
    },
  };
}

/** Reads a socket into the buffer, and copies what was there while the callback ran. */
function collect(reads: SharedReads, socket: Socket): { text: string } {
  const got = { text: "" };
  const isUsed = reads.use(socket, (bytes) => {
    got.text += reads.buffer.toString("latin1", 0, bytes);
    return true;
  });
  assert.ok(isUsed, "this runtime keeps the option elsewhere: reading is right, but slower");
  return got;
}

async function ended(socket: Readable): Promise<void> {
  socket.resume();
  await new Promise((resolve) => socket.once("end", resolve));
}

for (const secure of [false, true]) {
  Deno.test(`SharedReads: reads into the buffer${secure ? ", over TLS" : ""}`, async () => {
    using one = await pair(secure);
    using other = await pair(secure);
    const reads = new SharedReads();
    one.server.on("data", () => assert.fail("the stream got bytes"));
    other.server.on("data", () => assert.fail("the stream got bytes"));
    const got = [collect(reads, one.server), collect(reads, other.server)];
    const ends = [ended(one.server), ended(other.server)];
    for (let at = 0; at < 200; at++) {
      one.client.write(`1:${at};`);
      other.client.write(`2:${at};`);
      if (at % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    one.client.end("x".repeat(300_000));
    other.client.end();
    await Promise.all(ends);
    const numbers = Array.from({ length: 200 }, (_, at) => at);
    assert.equal(got[0]?.text, numbers.map((at) => `1:${at};`).join("") + "x".repeat(300_000));
    assert.equal(got[1]?.text, numbers.map((at) => `2:${at};`).join(""));
  });
}

Deno.test("SharedReads: a socket that is paused reads nothing", async () => {
  using both = await pair();
  const reads = new SharedReads();
  const got = collect(reads, both.server);
  const end = new Promise((resolve) => both.server.once("end", resolve));
  both.server.resume();
  both.client.write("before ");
  while (got.text === "") await new Promise((resolve) => setImmediate(resolve));
  both.server.pause();
  await new Promise<void>((resolve) => both.client.write("after", () => resolve()));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(got.text, "before ");
  both.server.resume();
  both.client.end();
  await end;
  assert.equal(got.text, "before after");
});

Deno.test("SharedReads: leaves a socket alone that cannot", () => {
  const reads = new SharedReads();
  const fail = () => assert.fail("was read");
  assert.equal(reads.use(new Duplex({ read() {}, write() {} }), fail), false);
  // As on a runtime that keeps the option elsewhere.
  const other = Object.assign(new Duplex({ read() {}, write() {} }), {
    _handle: { useUserBuffer: fail },
  });
  assert.equal(reads.use(other, fail), false);
  other.push(Buffer.from("x"));
  assert.equal(other.read().toString(), "x");
});

Deno.test("SharedReads: a socket is taken once", async () => {
  using both = await pair();
  const reads = new SharedReads();
  collect(reads, both.server);
  assert.equal(reads.use(both.server, () => assert.fail("was read")), false);
});

/**
 * What is read of a machine: all of it, in its turn; and a machine that does not read what it makes us say is given up.
 */
import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { paceInput } from "../../src/executor/ssh/input.ts";

/** A machine that does `serve` with each connection, and `count` paced connections to it. */
async function withMachine(
  serve: (socket: Socket) => void,
  count: number,
  use: (sockets: Socket[]) => Promise<void>,
): Promise<void> {
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    accepted.push(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const sockets = Array.from({ length: count }, () => connect({ host: "127.0.0.1", port }));
  try {
    await use(sockets);
  } finally {
    for (const socket of [...sockets, ...accepted]) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

const once = (socket: Socket, name: string) =>
  new Promise<unknown>((resolve) => socket.once(name, resolve));

Deno.test("paceInput: loses nothing", async () => {
  // More than each may send freely, numbered to see that all of it comes, and in order.
  const words = new Uint32Array(6 * 256 * 1024).map((_, at) => at);
  const bytes = new Uint8Array(words.buffer);
  await withMachine((socket) => socket.end(bytes), 3, async (sockets) => {
    const read = sockets.map(async (socket) => {
      const chunks: Uint8Array<ArrayBuffer>[] = [];
      socket.on("data", (chunk) => chunks.push(new Uint8Array(chunk as Uint8Array)));
      paceInput(socket);
      await once(socket, "end");
      return new Uint8Array(await new Blob(chunks).arrayBuffer());
    });
    for (const all of await Promise.all(read)) assert.deepEqual(all, bytes);
  });
});

Deno.test("paceInput: drops a peer that does not read replies", async () => {
  const flood = (socket: Socket): void => {
    socket.pause();
    const more = (): void => {
      if (!socket.destroyed) socket.write(new Uint8Array(64 * 1024), () => setTimeout(more, 1));
    };
    more();
  };
  await withMachine(flood, 1, async ([socket]) => {
    assert.ok(socket);
    // What ssh2 does with each request of theirs: it writes an answer.
    socket.on("data", () => socket.write(new Uint8Array(1024 * 1024)));
    paceInput(socket);
    assert.match(String(await once(socket, "error")), /does not read the replies/);
  });
});

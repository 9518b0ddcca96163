/** Messages that never end. */
import assert from "node:assert/strict";
import { MAX_UNFINISHED_BYTES } from "../../src/server/limits.ts";
import { UnfinishedMessages } from "../../src/server/listeners/unfinished.ts";
import { eventually, RawClient } from "../helpers/raw_client.ts";
import { RawSocket } from "../helpers/raw_socket.ts";
import { startServer } from "../helpers/test_server.ts";

Deno.test("UnfinishedMessages: the largest makes room", () => {
  const refused: string[] = [];
  const messages = new UnfinishedMessages<{ name: string }>(100, ({ name }) => refused.push(name));
  const [a, b, c] = [{ name: "a" }, { name: "b" }, { name: "c" }];
  messages.set(a, 60);
  messages.set(b, 30);
  messages.set(c, 10);
  assert.deepEqual(refused, []);
  messages.set(c, 20);
  assert.deepEqual(refused, ["a"]);
  messages.set(b, 0); // it is finished
  messages.set(c, 100);
  assert.deepEqual(refused, ["a"]);
  messages.set(b, 1);
  assert.deepEqual(refused, ["a", "c"]);
});

Deno.test("server: unfinished messages are bounded for all clients", async () => {
  await using running = await startServer({ listener: "ws" });
  const { port } = running.server;
  const part = new Uint8Array(260_000).fill(32);
  const most = Math.floor(MAX_UNFINISHED_BYTES / part.length);
  const beyond = 40;
  const sockets: RawSocket[] = [];
  let refused = 0;
  const open = async () => {
    const socket = await RawSocket.open({ port });
    sockets.push(socket);
    void socket.readCloseCode().then((code) => code === 4429 && refused++);
    await socket.frame(1, part, false);
  };
  try {
    for (let i = 0; i < most + beyond; i++) await open();
    await eventually(() => refused === beyond, "those beyond the bound are refused");
    await using client = await RawClient.ready(running.url);
    await client.call("list_services");
    assert.equal(refused, beyond);
  } finally {
    for (const socket of sockets) socket[Symbol.dispose]();
  }
});

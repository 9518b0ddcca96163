/** The TCP connections of a listener, with sockets of no network. */
import assert from "node:assert/strict";
import { Socket } from "node:net";
import { MAX_PIPELINED_REQUESTS } from "../../src/server/limits.ts";
import { TcpPeers } from "../../src/server/listeners/tcp_peers.ts";

/** A socket of an address. */
function socketOf(remotePort: number): Socket {
  const socket = new Socket();
  Object.defineProperty(socket, "remoteAddress", { value: "10.0.0.1" });
  Object.defineProperty(socket, "remotePort", { value: remotePort });
  return socket;
}

Deno.test("TcpPeers: empty after the last one was dropped", async () => {
  const peers = new TcpPeers({ maxTotal: () => 2, maxOf: () => 2, idleMs: 60_000 });
  try {
    const [idle, busy] = [socketOf(1), socketOf(2)];
    peers.add(idle);
    peers.add(busy);
    peers.begin(busy);
    peers.dropIdle();
    assert.equal(peers.size, 1);
    let isEmpty = false;
    peers.whenEmpty().then(() => isEmpty = true);
    for (let i = 1; i < MAX_PIPELINED_REQUESTS; i++) assert.ok(peers.begin(busy));
    assert.equal(peers.begin(busy), false, "too many at once");
    await Promise.resolve();
    assert.ok(isEmpty);
  } finally {
    peers.close();
  }
});

import assert from "node:assert/strict";
import { type ClientStatus, RegistryClient } from "../../src/client/mod.ts";
import { eventually } from "../helpers/raw_client.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";
import { FlakyNetwork } from "./flaky_network.ts";

/** A small generator of numbers in [0, 1), the same for the same seed. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

for (const listener of LISTENERS) {
  Deno.test(`events: no gap when cut at any byte (${listener})`, async () => {
    await using server = await startServer({ listener });
    await using network = new FlakyNetwork(server.url);
    const next = random(listener.length);
    // From the middle of the handshake to some hundred events later.
    network.cutAfter = () => Math.floor(100 + next() ** 3 * 60_000);
    const statuses: ClientStatus["type"][] = [];
    const options = { reconnect: { minDelayMs: 1, maxDelayMs: 4 }, connectTimeoutMs: 2_000 };
    const client = await connectWithRetry(network.url, {
      ...options,
      onStatus: ({ type }) => statuses.push(type),
    });
    await using _client = client;
    await using stream = client.events({ bufferSize: 50 });
    await stream.ready.catch(() => {}); // the first subscribe may be cut off as well
    let last = 0;
    const reading = (async () => {
      for await (const item of stream) {
        assert(item.kind === "event", item.kind);
        if (last > 0) assert.equal(item.seq, last + 1);
        last = item.seq;
        if (item.data.service === "end") return;
      }
      assert.fail("the stream ended");
    })();
    for (let i = 0; network.cuts < 40; i++) {
      await server.registry.register(service("busy", { version: `${i}.0.0` }), { replace: true });
      if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    network.cutAfter = () => Infinity;
    await server.registry.register(service("end"));
    await reading;
    assert.equal(last, server.registry.seq);
    assert(!statuses.includes("snapshot"), "all that was missed could be replayed");
  });
}

/** The first connection is not retried by the client, so here. */
async function connectWithRetry(
  ...args: Parameters<typeof RegistryClient.connect>
): Promise<RegistryClient> {
  for (;;) {
    try {
      return await RegistryClient.connect(...args);
    } catch {
      // Cut before hello.
    }
  }
}

Deno.test("events: resume after a network that swallows everything", async () => {
  await using server = await startServer({ listener: "ws" });
  await using network = new FlakyNetwork(server.url);
  const statuses: ClientStatus[] = [];
  await using client = await RegistryClient.connect(network.url, {
    idleProbeMs: 500,
    reconnect: { minDelayMs: 5, maxDelayMs: 20 },
    onStatus: (status) => statuses.push(status),
  });
  await using stream = client.events();
  await stream.ready;
  network.frozen = true;
  await server.registry.register(service("unheard"));
  const isNoticed = (s: ClientStatus) => s.type === "disconnected" && /stopped/.test(s.reason);
  await eventually(() => statuses.some(isNoticed), "the client has noticed");
  network.cut();
  network.frozen = false;
  const { value } = await stream.next();
  assert(value?.kind === "event");
  assert.equal(value.data.service, "unheard");
});

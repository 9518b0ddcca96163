import assert from "node:assert/strict";
import { RegistryClient, type ServiceEntry } from "../../src/client/mod.ts";
import { HarnessError } from "../../src/errors.ts";
import { service } from "../helpers/test_server.ts";
import { KillableServer } from "./killable_server.ts";

const reconnect = { minDelayMs: 20, maxDelayMs: 200 };

Deno.test("events: rebuild the registry through ten kills", async () => {
  await using server = await KillableServer.start();
  await using client = await RegistryClient.connect(server.url, { reconnect });
  await using stream = client.events({ snapshot: true, bufferSize: 8 });
  const known = new Map<string, ServiceEntry>();
  let lastSeq = 0;
  let snapshots = 0;
  const reading = (async () => {
    for await (const item of stream) {
      if (item.kind === "snapshot") {
        snapshots++;
        known.clear();
        for (const entry of item.services) known.set(entry.id, entry);
        lastSeq = item.seq;
      }
      if (item.kind !== "event") continue;
      assert.equal(item.seq, lastSeq + 1, "no gap and no repetition");
      lastSeq = item.seq;
      if (item.event === "service_registered" || item.event === "service_updated") {
        known.set(item.data.id, item.data.entry);
      }
      if (item.event === "service_deregistered") known.delete(item.data.id);
      if (known.has("end")) return;
      if (item.seq % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  for (let round = 0; round < 10; round++) {
    const writing = writeUntilLost(client, round);
    // Time for some changes; how many are made before the kill does not matter.
    await new Promise((resolve) => setTimeout(resolve, 20));
    await server.kill();
    await writing;
    await server.start();
    // Pages of thousands are not needed to see whether the call works again.
    await client.listServices({ name: "none" }, { waitForConnection: true });
  }
  await client.registerService(service("end"), { waitForConnection: true });
  await reading;
  assert.equal(snapshots, 1, "only the one that was asked for");
  const truth = await client.listServices();
  const folded = [...known.values()].toSorted((a, b) => a.id < b.id ? -1 : 1);
  assert.deepEqual(folded, truth);
});

/** Changes the registry as fast as it goes until the connection is lost. */
async function writeUntilLost(client: RegistryClient, round: number): Promise<void> {
  for (let i = 0;; i++) {
    try {
      const options = { replace: true };
      await client.registerService(service(`s${i % 7}`, { version: `${round}.${i}.0` }), options);
      if (i % 5 === 4) await client.deregisterService(`s${i % 7}`);
    } catch (error) {
      assert(error instanceof HarnessError, String(error));
      assert.equal(error.code, "unavailable", error.message);
      return;
    }
  }
}

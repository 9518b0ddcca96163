/** Resume across a restart of the server, from the journal on disk. */
import assert from "node:assert/strict";
import { Registry } from "../../src/registry/registry.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { RawClient } from "../helpers/raw_client.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";

for (const listener of LISTENERS) {
  Deno.test(`server ${listener}: replays the journal after a restart`, async () => {
    const dir = await Deno.makeTempDir({ prefix: "harness-restart-" });
    try {
      let epoch: string;
      {
        await using registry = await Registry.open(new FileStore({ dir }));
        await using running = await startServer({ listener, registry });
        epoch = registry.epoch;
        await using client = await RawClient.ready(running.url);
        await client.call("subscribe");
        for (let i = 0; i < 30; i++) {
          await client.call("register_service", { service: service(`s-${i}`) });
        }
        await client.event("service_registered");
      }
      await using registry = await Registry.open(new FileStore({ dir }));
      await using running = await startServer({ listener, registry });
      await using client = await RawClient.connect(running.url);
      const hello = await client.next();
      assert.deepEqual([hello["data"].epoch, hello["data"].seq], [epoch, 30]);
      await registry.register(service("after"));
      const ack = await client.call("subscribe", { since: { epoch, seq: 12 } });
      assert.equal(ack["resumed"], "replayed");
      for (let seq = 13; seq <= 31; seq++) {
        const event = await client.event("service_registered");
        assert.equal(event["seq"], seq);
        assert.equal(event["data"].id, seq === 31 ? "after" : `s-${seq - 1}`);
      }
      assert.equal((await client.event("bookmark"))["seq"], 31);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}

/** Replays that cannot be finished: the connection ends, and a gap is never passed over in silence. */
import assert from "node:assert/strict";
import { REPLAY_BATCH_EVENTS } from "../../src/server/limits.ts";
import { Registry } from "../../src/registry/registry.ts";
import type { RegistryEvent } from "../../src/model/event.ts";
import type { Store } from "../../src/registry/store.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { type Frame, RawClient } from "../helpers/raw_client.ts";
import { LISTENERS, service, startServer } from "../helpers/test_server.ts";

/** A store that answers for its history as `history` says, once it is set. */
class ForgetfulStore extends MemoryStore {
  forget: ((afterSeq: number) => Promise<RegistryEvent[] | null>) | null = null;

  override async history(afterSeq: number, limit: number): Promise<RegistryEvent[] | null> {
    return await (this.forget?.(afterSeq) ?? super.history(afterSeq, limit));
  }
}

/** A server that keeps next to nothing in memory, so that a replay asks the store. */
async function startWith(
  listener: "deno" | "ws",
  store: Store,
): Promise<AsyncDisposableStack & { url: string; registry: Registry }> {
  const stack = new AsyncDisposableStack();
  const registry = stack.use(await Registry.open(store));
  const limits = { replayRingEvents: 5 };
  const running = stack.use(await startServer({ listener, registry, limits }));
  return Object.assign(stack, { url: running.url, registry });
}

const seqs = (frames: readonly Frame[]): number[] =>
  frames.filter((frame) => frame["event"] === "service_registered").map((frame) => frame["seq"]);

for (const listener of LISTENERS) {
  for (
    const [what, answer] of [
      ["is gone", () => Promise.resolve(null)],
      ["cannot be read", () => Promise.reject(new Error("EIO"))],
    ] as const
  ) {
    Deno.test(`${listener} server closes with 4408: history ${what}`, async () => {
      const store = new ForgetfulStore();
      await using server = await startWith(listener, store);
      const { registry, url } = server;
      const count = 2 * REPLAY_BATCH_EVENTS + 10;
      for (let i = 0; i < count; i++) await registry.register(service(`s-${i}`));
      let asked = 0;
      // Once for the decision to replay and once for the first batch, then no more.
      store.forget = (afterSeq) => {
        if (++asked > 2) return answer();
        return MemoryStore.prototype.history.call(store, afterSeq, REPLAY_BATCH_EVENTS);
      };
      const client = await RawClient.ready(url);
      const since = { epoch: registry.epoch, seq: 0 };
      const ack = await client.call("subscribe", { since });
      assert.equal(ack["resumed"], "replayed");
      assert.equal((await client.closed).code, 4408);
      const got = seqs(client.log);
      assert.ok(got.length > 0 && got.length < count, `${got.length}`);
      assert.deepEqual(got, Array.from(got, (_, i) => i + 1));
      assert.ok(!client.log.some((frame) => frame["event"] === "bookmark"), "promises nothing");

      // The client does as the docs say: reconnects and resumes, and now gets a snapshot.
      store.forget = () => Promise.resolve(null);
      await using again = await RawClient.ready(url);
      const resumed = await again.call("subscribe", { since: { ...since, seq: got.length } });
      assert.equal(resumed["resumed"], "snapshot");
      assert.equal((await again.event("registry_loaded"))["seq"], count);
    });
  }

  Deno.test(`server ${listener}: survives unreadable history`, async () => {
    const store = new ForgetfulStore();
    await using server = await startWith(listener, store);
    const { registry, url } = server;
    for (let i = 0; i < 20; i++) await registry.register(service(`s-${i}`));
    store.forget = () => Promise.reject(new Error("EIO: /secret/path"));
    await using client = await RawClient.ready(url);
    const since = { epoch: registry.epoch, seq: 0 };
    const refused = await client.request("subscribe", { since });
    assert.equal(refused["error"].code, "internal");
    assert.doesNotMatch(JSON.stringify(refused), /secret/);
    assert.deepEqual(await client.call("unsubscribe"), { subscribed: [] });
    // What is still in memory is replayed without the store.
    const recent = await client.call("subscribe", { since: { ...since, seq: 18 } });
    assert.equal(recent["resumed"], "replayed");
    assert.equal((await client.event("service_registered"))["seq"], 19);
  });
}

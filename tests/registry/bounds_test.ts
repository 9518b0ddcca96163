/** The registry's bounds are reached, and what it holds for a while it lets go of. */
import assert from "node:assert/strict";
import { EntryIndex } from "../../src/registry/entry_index.ts";
import { applyEvent } from "../../src/registry/apply_event.ts";
import { KeyedMutex } from "../../src/util/keyed_mutex.ts";
import { Registry } from "../../src/registry/registry.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { refusal } from "../helpers/rejects.ts";

Deno.test("KeyedMutex: orders the tasks of a key, keeps no idle key", async () => {
  const mutex = new KeyedMutex();
  const order: string[] = [];
  const task = (key: string, n: number) =>
    mutex.run(key, async () => {
      order.push(`${key}${n}>`);
      await new Promise((resolve) => setTimeout(resolve, 1));
      order.push(`<${key}${n}`);
      if (n === 1) throw new Error("one fails");
      return n;
    });
  const results = await Promise.allSettled([task("a", 1), task("b", 2), task("a", 3)]);
  assert.deepEqual(results.map((r) => r.status), ["rejected", "fulfilled", "fulfilled"]);
  assert.ok(order.indexOf("b2>") < order.indexOf("<a1"), "another key does not wait");
  assert.ok(order.indexOf("<a1") < order.indexOf("a3>"), "the same key does");
  assert.equal(mutex.size, 0);
});

Deno.test("Registry.register: refuses beyond the limit, also at once", async () => {
  const maxServices = 100;
  await using registry = await Registry.open(new MemoryStore(), { maxServices });
  for (let i = 0; i < 90; i++) await registry.register(serviceInput(`s${i}`));
  const results = await Promise.allSettled(
    Array.from({ length: 30 }, (_, k) => registry.register(serviceInput(`last${k}`))),
  );
  assert.equal(results.filter((r) => r.status === "fulfilled").length, 10);
  assert.equal(registry.size, maxServices);
  await refusal("too_large", () => registry.register(serviceInput("more")));
  await registry.deregister("s0");
  await registry.register(serviceInput("more"));
});

Deno.test("Registry.subscribe: a listener that throws affects no other", async () => {
  await using registry = await Registry.open(new MemoryStore());
  const uncaught = new Promise<unknown>((resolve) => {
    globalThis.addEventListener("error", (event) => {
      event.preventDefault();
      resolve(event.error);
    }, { once: true });
  });
  registry.subscribe(() => {
    throw new Error("a bug in a listener");
  });
  const seen: number[] = [];
  registry.subscribe((event) => seen.push(event.seq));
  await registry.register(serviceInput("web"));
  assert.deepEqual(seen, [1]);
  assert.match(String(await uncaught), /a bug in a listener/);
});

Deno.test("EntryIndex: follows an entry that changes its name", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register(serviceInput("web", { id: "x" }));
  await registry.register(serviceInput("api", { id: "x" }), { replace: true });
  assert.equal(registry.get("api").id, "x");
  await refusal("not_found", () => registry.get("web"));
  const index = new EntryIndex();
  index.remove("nobody");
  assert.equal(index.size, 0);
});

Deno.test("applyEvent: ignores entries a filtered mirror never saw", () => {
  const mirror = new Map();
  const common = { seq: 1, time: "t" };
  const who = { service: "web", id: "web", revision: 2 };
  applyEvent(mirror, {
    ...common,
    event: "service_state_changed",
    data: { ...who, old_state: "running", new_state: "failed", reason: null },
  });
  applyEvent(mirror, { ...common, event: "endpoint_updated", data: { ...who, endpoints: [] } });
  applyEvent(mirror, { ...common, event: "service_deregistered", data: who });
  assert.equal(mirror.size, 0);
});

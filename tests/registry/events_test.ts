import assert from "node:assert/strict";
import type { RegistryEvent } from "../../src/model/event.ts";
import { Registry } from "../../src/registry/registry.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { endpoint, serviceInput } from "../helpers/fixtures.ts";
import { refusal } from "../helpers/rejects.ts";

async function take(
  stream: ReadableStream<RegistryEvent>,
  count: number,
): Promise<RegistryEvent[]> {
  const events: RegistryEvent[] = [];
  if (count === 0) return events;
  for await (const event of stream) {
    events.push(event);
    if (events.length === count) break;
  }
  return events;
}

async function rename(registry: Registry, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await registry.update("web", { version: `v${registry.seq}` });
}

Deno.test("Registry.events: each reader gets what it asked for", async () => {
  await using registry = await Registry.open(new MemoryStore());
  const states = registry.events({ filter: { events: ["service_state_changed"] } });
  const endpoints = registry.events({ filter: { events: ["endpoint_updated"] } });
  const web = registry.events({ filter: { services: ["we*"] } });
  await registry.register(serviceInput("web"));
  await registry.register(serviceInput("db"));
  await registry.update("db", { state: "starting" });
  await registry.update("web", { endpoints: [endpoint("http", "h:80")] });
  await registry.update("web", { state: "starting" });
  await registry.deregister("web");
  assert.deepEqual((await take(states, 2)).map((e) => e.data.id), ["db", "web"]);
  assert.deepEqual((await take(endpoints, 1)).map((e) => e.data.id), ["web"]);
  assert.deepEqual((await take(web, 4)).map((e) => e.event), [
    "service_registered",
    "endpoint_updated",
    "service_state_changed",
    "service_deregistered",
  ]);
});

Deno.test("Registry.subscribe: in order, and nothing after its end", async () => {
  await using registry = await Registry.open(new MemoryStore());
  const first: number[] = [];
  const second: number[] = [];
  const endSecond = registry.subscribe((e) => second.push(e.seq));
  const endFirst = registry.subscribe((e) => {
    first.push(e.seq);
    if (e.seq === 3) endSecond();
  });
  const thirds: number[] = [];
  registry.subscribe((e) => {
    if (e.seq === 2) endThird();
    thirds.push(e.seq);
  });
  const fourth: number[] = [];
  const endThird = registry.subscribe((e) => fourth.push(e.seq));
  await registry.register(serviceInput("web"));
  await rename(registry, 3);
  endFirst();
  await rename(registry, 1);
  assert.deepEqual(first, [1, 2, 3, 4]);
  assert.deepEqual(second, [1, 2, 3]);
  assert.deepEqual(fourth, [1], "ended by an earlier listener of the same event");
  assert.deepEqual(thirds, [1, 2, 3, 4, 5]);
});

Deno.test("Registry.events: since replays, then live without a gap", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register(serviceInput("web"));
  await rename(registry, 200);
  const stream = registry.events({ since: 10, maxQueue: 16 });
  const reader = stream.getReader();
  const seqs: number[] = [];
  while (seqs.length < 290) {
    if (seqs.length < 100) await rename(registry, 1);
    const { value } = await reader.read();
    if (value !== undefined) seqs.push(value.seq);
  }
  assert.deepEqual(seqs, Array.from({ length: 290 }, (_, i) => i + 11));
  await reader.cancel();
});

Deno.test("Registry.events: since is live when nothing matches", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register(serviceInput("web"));
  await rename(registry, 50);
  const stream = registry.events({ since: 0, filter: { services: ["db"] } });
  const found = take(stream, 1);
  await registry.register(serviceInput("db"));
  assert.equal((await found)[0]?.event, "service_registered");
});

Deno.test("Registry.events: fails when events are not kept", async () => {
  await using registry = await Registry.open(new MemoryStore({ historyEvents: 4 }));
  await registry.register(serviceInput("web"));
  await rename(registry, 30);
  await refusal("not_found", () => take(registry.events({ since: 3 }), 1));
  await refusal("not_found", () => take(registry.events({ since: 999 }), 1));
  assert.equal((await take(registry.events({ since: registry.seq - 4 }), 4)).length, 4);
});

Deno.test("Registry.events: a slow reader fails alone", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register(serviceInput("web"));
  const slow = registry.events({ maxQueue: 10 });
  const other = registry.events();
  await rename(registry, 11);
  const error = await refusal("unavailable", () => take(slow, 1));
  assert.match(error.message, /more than 10 events behind/);
  assert.equal((await take(other, 11)).length, 11);
});

Deno.test("Registry.events: ends with signal, reader or registry", async () => {
  const registry = await Registry.open(new MemoryStore());
  const abort = new AbortController();
  const aborted = registry.events({ signal: abort.signal });
  const reading = take(aborted, 1);
  abort.abort(new Error("enough"));
  await assert.rejects(reading, /enough/);
  await assert.rejects(take(registry.events({ signal: abort.signal }), 1), /enough/);
  const open = registry.events();
  await registry.register(serviceInput("web"));
  await registry.close();
  assert.equal((await take(open, 5)).length, 1, "what is queued is still given");
  assert.equal((await take(registry.events(), 5)).length, 0);
  await refusal("storage_unavailable", () => registry.register(serviceInput("db")));
});

Deno.test("Registry.publish: progress is in the same order", async () => {
  await using registry = await Registry.open(new MemoryStore());
  const events: RegistryEvent[] = [];
  registry.subscribe((e) => events.push(e));
  await registry.register(serviceInput("web"));
  await registry.publish({
    event: "deployment_progress",
    data: {
      deployment_id: "d-1",
      service: "web",
      id: "web",
      host: "local",
      step: "start",
      status: "done",
      at: "2026-01-01T00:00:00.000Z",
    },
  });
  assert.deepEqual(events.map((e) => [e.seq, e.event]), [
    [1, "service_registered"],
    [2, "deployment_progress"],
  ]);
  assert.deepEqual((await registry.history(1, 10))?.map((e) => e.seq), [2]);
});

import assert from "node:assert/strict";
import type { RegistryEvent } from "../../src/model/event.ts";
import { Registry } from "../../src/registry/registry.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { refusal } from "../helpers/rejects.ts";

/** Reads events until one is a change of state to `state`. */
async function untilState(registry: Registry, state: string): Promise<RegistryEvent> {
  const filter = { events: ["service_state_changed"] } as const;
  for await (const event of registry.events({ filter })) {
    if (event.event === "service_state_changed" && event.data.new_state === state) return event;
  }
  throw new Error("the registry was closed");
}

Deno.test("Lease: missed heartbeats fail an entry, one revives it", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register(serviceInput("web", { ttl_ms: 150 }));
  const failed = await untilState(registry, "failed");
  assert.ok(failed.event === "service_state_changed");
  assert.equal(failed.data.reason, "heartbeat missed");
  const back: string[] = [];
  registry.subscribe((e) => {
    if (e.event === "service_state_changed") back.push(`${e.data.old_state}>${e.data.new_state}`);
  });
  const { expires_at } = await registry.heartbeat("web");
  assert.ok(Date.parse(expires_at) > Date.parse(failed.time));
  assert.deepEqual(back, ["failed>starting", "starting>running"]);
  const entry = registry.get("web");
  assert.equal(entry.state_reason, "heartbeat returned");
  assert.equal(entry.revision, 3, "one change");
  await untilState(registry, "failed");
});

/** The changes of state of a registry from now on. */
function changesOf(registry: Registry): string[] {
  const changes: string[] = [];
  registry.subscribe((event) => {
    if (event.event !== "service_state_changed") return;
    const { old_state, new_state, reason } = event.data;
    changes.push(`${old_state}>${new_state}: ${reason}`);
  });
  return changes;
}

const ENDPOINT = { name: "http", address: "127.0.0.1:80", protocol: "http", metadata: {} } as const;

Deno.test("Registry.heartbeat: the first one makes it resolvable", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register(serviceInput("web", { ttl_ms: 60_000, endpoints: [ENDPOINT] }));
  await refusal("unavailable", () => Promise.resolve().then(() => registry.resolve("web")));
  const changes = changesOf(registry);
  await registry.heartbeat("web");
  assert.deepEqual(changes, ["registered>starting: heartbeat", "starting>running: heartbeat"]);
  const { state, state_reason, revision } = registry.get("web");
  assert.deepEqual([state, state_reason, revision], ["running", "heartbeat", 2]);
  assert.deepEqual(registry.resolve("web").map(({ address }) => address), [ENDPOINT.address]);
});

Deno.test("Registry.heartbeat: later ones change nothing", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register(serviceInput("web", { ttl_ms: 1_500 }));
  await registry.heartbeat("web");
  const { seq } = registry;
  const until = performance.now() + 3_000;
  while (performance.now() < until) {
    await registry.heartbeat("web");
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  assert.equal(registry.get("web").state, "running");
  assert.equal(registry.seq, seq);
});

Deno.test("Registry.heartbeat: simultaneous first ones are one change", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register(serviceInput("web", { ttl_ms: 60_000 }));
  const changes = changesOf(registry);
  await Promise.all(Array.from({ length: 8 }, () => registry.heartbeat("web")));
  assert.equal(changes.length, 2);
});

Deno.test("Registry.heartbeat: a state that was set stays", async () => {
  await using registry = await Registry.open(new MemoryStore());
  const paths = {
    starting: ["starting"],
    running: ["starting", "running"],
    stopping: ["starting", "stopping"],
    stopped: ["starting", "stopping", "stopped"],
    failed: ["failed"],
  } as const;
  for (const [last, path] of Object.entries(paths)) {
    await registry.register(serviceInput(last, { ttl_ms: 60_000 }));
    for (const state of path) await registry.update(last, { state, state_reason: "by hand" });
    const changes = changesOf(registry);
    await registry.heartbeat(last);
    const expected = last === "starting" ? ["starting>running: heartbeat"] : [];
    assert.deepEqual(changes, expected, last);
  }
});

Deno.test("Registry.heartbeat: after a replacement it comes back", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register(serviceInput("web", { ttl_ms: 100 }));
  await untilState(registry, "failed");
  const again = { ttl_ms: 60_000, version: "2.0.0" };
  const replaced = await registry.register(serviceInput("web", again), { replace: true });
  assert.equal(replaced.state, "failed", "what was observed stays");
  await registry.heartbeat("web");
  assert.equal(registry.get("web").state, "running");
});

Deno.test("Registry.heartbeat: wants an entry with a lease", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register(serviceInput("plain"));
  await refusal("invalid_params", () => registry.heartbeat("plain"));
  await refusal("not_found", () => registry.heartbeat("nope"));
});

Deno.test("Lease: a stopped entry owes no heartbeats", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register(serviceInput("stopped", { ttl_ms: 100 }));
  for (const state of ["starting", "stopping", "stopped"] as const) {
    await registry.update("stopped", { state });
  }
  await registry.register(serviceInput("other", { ttl_ms: 300 }));
  await untilState(registry, "failed");
  assert.equal(registry.get("other").state, "failed");
  assert.equal(registry.get("stopped").state, "stopped");
});

Deno.test("Lease: starts anew when the registry is opened again", async () => {
  const store = new MemoryStore();
  // The first one keeps the store open, as another server would.
  await using first = await Registry.open(store);
  await first.register(serviceInput("web"));
  await first.register(serviceInput("web", { ttl_ms: 200 }), { replace: true });
  await using second = await Registry.open(store);
  const event = await untilState(second, "failed");
  assert.equal(event.data.id, "web");
  assert.equal(first.get("web").revision, second.get("web").revision);
  assert.equal(first.get("web").revision, 3, "both saw it expire, one recorded it");
});

import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { SERVICE_STATES, type ServiceState } from "../../src/model/service.ts";
import type { RegistryEvent } from "../../src/model/event.ts";
import { applyEvent } from "../../src/registry/apply_event.ts";
import { Registry } from "../../src/registry/registry.ts";
import { assertTransition } from "../../src/registry/change.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { endpoint, serviceInput } from "../helpers/fixtures.ts";
import { refusal } from "../helpers/rejects.ts";

async function openWith(...names: string[]) {
  const registry = await Registry.open(new MemoryStore());
  for (const name of names) await registry.register(serviceInput(name));
  const events: RegistryEvent[] = [];
  registry.subscribe((event) => events.push(event));
  return { registry, events };
}

Deno.test("Registry.register: fills in what an input leaves out", async () => {
  await using registry = await Registry.open(new MemoryStore());
  const entry = await registry.register({
    name: "web",
    version: "1.0.0",
    execution: { type: "managed_process", command: "/usr/bin/web" },
    location: { type: "remote", host: "h1", ssh_user: "deploy" },
    endpoints: [{ name: "http", address: "h1:80", protocol: "http" }],
  });
  assert.deepEqual(entry.execution, {
    type: "managed_process",
    command: "/usr/bin/web",
    args: [],
    pid: null,
  });
  assert.deepEqual(entry.location, {
    type: "remote",
    host: "h1",
    ssh_user: "deploy",
    ssh_port: null,
  });
  assert.deepEqual(entry.endpoints, [
    { name: "http", address: "h1:80", protocol: "http", metadata: {} },
  ]);
});

Deno.test("assertTransition: exactly the transitions of the contract", () => {
  const allows = (from: ServiceState, to: ServiceState) => {
    try {
      assertTransition("web", from, to);
      return true;
    } catch (error) {
      assert.ok(error instanceof HarnessError && error.code === "invalid_transition");
      return false;
    }
  };
  const allowed = SERVICE_STATES.flatMap((from) =>
    SERVICE_STATES.filter((to) => allows(from, to)).map((to) => `${from}>${to}`)
  );
  assert.deepEqual(allowed.sort(), [
    "failed>failed",
    "failed>starting",
    "registered>failed",
    "registered>starting",
    "running>failed",
    "running>stopping",
    "starting>failed",
    "starting>running",
    "starting>stopping",
    "stopped>failed",
    "stopped>starting",
    "stopping>failed",
    "stopping>stopped",
  ]);
});

Deno.test("Registry.register: get and list return the entry", async () => {
  await using registry = await Registry.open(new MemoryStore(), { now: () => 0 });
  const entry = await registry.register(serviceInput("web"));
  assert.deepEqual(entry, {
    id: "web",
    name: "web",
    version: "1.0.0",
    execution: { type: "managed_process", command: "/usr/bin/true", args: [], pid: null },
    location: { type: "local" },
    endpoints: [],
    depends_on: [],
    state: "registered",
    state_reason: null,
    last_health_check: null,
    labels: {},
    revision: 1,
    registered_at: "1970-01-01T00:00:00.000Z",
    last_state_change: "1970-01-01T00:00:00.000Z",
    updated_at: "1970-01-01T00:00:00.000Z",
  });
  assert.equal(registry.get("web"), entry);
  assert.deepEqual(registry.list(), [entry]);
  assert.throws(() => entry.endpoints.push(endpoint("x", "h:1")), TypeError, "entries are frozen");
});

Deno.test("Registry: refused changes leave the entries alone", async () => {
  const { registry, events } = await openWith("web");
  await using _ = registry;
  const duplicate = await refusal("already_exists", () => registry.register(serviceInput("web")));
  assert.equal(duplicate.details?.revision, 1);
  await refusal("not_found", () => registry.get("nope"));
  await refusal("not_found", () => registry.update("nope", { version: "2" }));
  await refusal("not_found", () => registry.deregister("nope"));
  const bad = await refusal("invalid_params", () => registry.register(serviceInput("../etc")));
  assert.match(bad.message, /name must be letters/);
  await refusal(
    "invalid_params",
    () => registry.update("web", { endpoints: [endpoint("http", "no-port")] }),
  );
  await refusal("invalid_transition", () => registry.update("web", { state: "running" }));
  assert.equal(registry.get("web").revision, 1);
  assert.deepEqual(events, []);
});

Deno.test("Registry.update: a whole life, an event and a revision each", async () => {
  const { registry, events } = await openWith("web");
  await using _ = registry;
  const life: ServiceState[] = ["starting", "running", "stopping", "stopped", "starting", "failed"];
  for (const state of life) await registry.update("web", { state, state_reason: `to ${state}` });
  assert.deepEqual(
    events.map((e) =>
      e.event === "service_state_changed"
        ? [e.seq, e.data.old_state, e.data.new_state, e.data.reason, e.data.revision]
        : e.event
    ),
    life.map((state, i) => [i + 2, life[i - 1] ?? "registered", state, `to ${state}`, i + 2]),
  );
  await registry.deregister("web");
  assert.deepEqual(events.at(-1)?.event, "service_deregistered");
  await refusal("not_found", () => registry.get("web"));
  assert.equal(registry.seq, 8);
});

Deno.test("Registry.update: several fields are one change", async () => {
  const { registry, events } = await openWith("web");
  await using _ = registry;
  const entry = await registry.update("web", {
    state: "starting",
    labels: { a: "b" },
    endpoints: [endpoint("http", "[::1]:80")],
    execution: { type: "managed_process", command: "/usr/bin/true", args: [], pid: 12345 },
    last_health_check: { healthy: true, message: null, checked_at: "t", duration_ms: 1 },
  });
  assert.equal(entry.revision, 2);
  assert.deepEqual(events.map((e) => [e.seq, e.event]), [
    [2, "service_updated"],
    [3, "service_state_changed"],
    [4, "endpoint_updated"],
    [5, "health_check_result"],
  ]);
  const changed = events[1];
  assert.ok(changed?.event === "service_state_changed");
  assert.deepEqual(changed.data.execution, entry.execution, "a new pid is told with the state");
});

Deno.test("Registry.update: no change, no event", async () => {
  const { registry, events } = await openWith("web");
  await using _ = registry;
  const before = await registry.update("web", { labels: { a: "1", b: "2" } });
  const after = await registry.update("web", { labels: { b: "2", a: "1" }, version: "1.0.0" });
  assert.equal(after, before, "the same entry, whatever the order of keys");
  assert.equal((await registry.update("web", {})).revision, 2);
  assert.equal(events.length, 1);
});

Deno.test("Registry.recordHealth: always; update: new results only", async () => {
  const { registry, events } = await openWith("web");
  await using _ = registry;
  const at = (checked_at: string, healthy = true, message: string | null = null) => ({
    last_health_check: { healthy, message, checked_at, duration_ms: 1 },
  });
  await registry.update("web", at("1"));
  await registry.update("web", at("2"));
  assert.equal(registry.get("web").last_health_check?.checked_at, "1");
  await registry.update("web", at("3", true, "slow"));
  await registry.update("web", at("4", false, "slow"));
  assert.equal(events.length, 3);
  await registry.recordHealth("web", at("5", false, "slow").last_health_check);
  assert.equal(registry.get("web").last_health_check?.checked_at, "5");
  assert.deepEqual(events.map((e) => e.event), Array(4).fill("health_check_result"));
  await registry.update("web", { last_health_check: null });
  assert.equal(events.at(-1)?.event, "service_updated");
});

Deno.test("Registry.update: a health result ends with its run", async () => {
  const { registry, events } = await openWith("web");
  await using _ = registry;
  const mirror = new Map(registry.list().map((entry) => [entry.id, entry]));
  registry.subscribe((event) => applyEvent(mirror, event));
  const result = { healthy: true, message: "200", checked_at: "t", duration_ms: 1 };
  const step = async (state: ServiceState) => {
    events.length = 0;
    const entry = await registry.update("web", { state });
    assert.deepEqual(mirror.get("web"), entry);
    return [entry.last_health_check?.healthy ?? null, ...events.map((e) => e.event)];
  };
  assert.deepEqual(await step("starting"), [null, "service_state_changed"]);
  assert.deepEqual(await step("running"), [null, "service_state_changed"]);
  await registry.recordHealth("web", result);
  assert.deepEqual(await step("stopping"), [true, "service_state_changed"]);
  assert.deepEqual(await step("stopped"), [null, "service_state_changed"]);
  // A check that was under way when it was stopped.
  assert.equal((await registry.recordHealth("web", result)).last_health_check, null);
  assert.deepEqual(await step("starting"), [null, "service_state_changed"]);
  await registry.recordHealth("web", result); // a start may wait for it
  assert.deepEqual(await step("running"), [true, "service_state_changed"]);
  assert.deepEqual(await step("failed"), [null, "service_state_changed"]);
  await registry.update("web", { last_health_check: result, labels: { a: "b" } });
  assert.equal(registry.get("web").last_health_check, null);
  assert.deepEqual(mirror.get("web"), registry.get("web"));
});

Deno.test("Registry.update: failed again only with another reason", async () => {
  const { registry, events } = await openWith("web");
  await using _ = registry;
  await registry.update("web", { state: "failed", state_reason: "exit code 1" });
  await registry.update("web", { state: "failed", state_reason: "exit code 1" });
  await registry.update("web", { state: "failed", state_reason: "exit code 2" });
  assert.deepEqual(events.map((e) => e.event), ["service_state_changed", "service_updated"]);
  await registry.update("web", { state: "starting" });
  assert.equal(registry.get("web").state_reason, null, "an old reason does not outlive its state");
});

Deno.test("Registry.update: one of 8 concurrent starts wins", async () => {
  const { registry, events } = await openWith("web");
  await using _ = registry;
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, () => registry.update("web", { state: "starting" })),
  );
  assert.equal(results.filter((r) => r.status === "fulfilled").length, 1);
  for (const result of results) {
    if (result.status === "rejected") assert.equal(result.reason.code, "invalid_transition");
  }
  assert.equal(events.length, 1);
});

Deno.test("Registry: ifRevision changes only that revision", async () => {
  const { registry } = await openWith("web");
  await using _ = registry;
  await registry.update("web", { version: "2" }, { ifRevision: 1 });
  const conflict = await refusal(
    "conflict",
    () => registry.update("web", { version: "3" }, { ifRevision: 1 }),
  );
  assert.deepEqual(conflict.details, { id: "web", revision: 2, if_revision: 1 });
  await refusal("conflict", () => registry.deregister("web", { ifRevision: 1 }));
  await registry.deregister("web", { ifRevision: 2 });
});

Deno.test("Registry.get: by id, or by name when it is unique", async () => {
  const { registry } = await openWith();
  await using _ = registry;
  await registry.register(serviceInput("web", { id: "web@h1" }));
  assert.equal(registry.get("web").id, "web@h1");
  await registry.register(serviceInput("web", { id: "web@h2" }));
  const ambiguous = await refusal("ambiguous", () => registry.get("web"));
  assert.deepEqual(ambiguous.details?.ids, ["web@h1", "web@h2"]);
  await registry.deregister("web@h1");
  assert.equal(registry.get("web").id, "web@h2");
});

Deno.test("Registry.register: replace keeps the observed state", async () => {
  const { registry, events } = await openWith("web");
  await using _ = registry;
  await registry.update("web", {
    state: "starting",
    execution: { type: "managed_process", command: "/usr/bin/true", args: [], pid: 7 },
  });
  await registry.update("web", { state: "running" });
  events.length = 0;
  const same = await registry.register(serviceInput("web"), { replace: true });
  assert.equal(same.revision, 3);
  assert.equal(events.length, 0, "the same description is no change");
  const input = serviceInput("web", { version: "2.0.0", endpoints: [endpoint("http", "h:80")] });
  const next = await registry.register(input, { replace: true });
  assert.equal(next.state, "running");
  assert.ok(next.execution.type === "managed_process");
  assert.equal(next.execution.pid, 7);
  assert.deepEqual(events.map((e) => e.event), ["service_updated", "endpoint_updated"]);
});

Deno.test("Registry.list, page: filtered, sorted by id", async () => {
  const { registry } = await openWith();
  await using _ = registry;
  const remote = { type: "remote", host: "h1.example", ssh_user: "root", ssh_port: null } as const;
  await registry.register(serviceInput("api-b", { labels: { env: "prod" } }));
  await registry.register(serviceInput("api-a", { location: remote, labels: { env: "test" } }));
  await registry.register(serviceInput("db", { labels: { env: "prod", "a=b": "c" } }));
  await registry.update("db", { state: "failed" });
  const ids = (filter: Parameters<Registry["list"]>[0]) => registry.list(filter).map((e) => e.id);
  assert.deepEqual(ids({}), ["api-a", "api-b", "db"]);
  assert.deepEqual(ids({ name: "api-*" }), ["api-a", "api-b"]);
  assert.deepEqual(ids({ name: "db" }), ["db"]);
  assert.deepEqual(ids({ state: "failed" }), ["db"]);
  assert.deepEqual(ids({ host: "local" }), ["api-b", "db"]);
  assert.deepEqual(ids({ host: "*.example" }), ["api-a"]);
  assert.deepEqual(ids({ label: "env=prod" }), ["api-b", "db"]);
  assert.deepEqual(ids({ label: "env" }), ["api-a", "api-b", "db"]);
  assert.deepEqual(ids({ label: "a=b" }), ["db"]);
  assert.deepEqual(ids({ label: "constructor" }), []);
  assert.deepEqual(ids({ label: "env=prod", name: "api-?" }), ["api-b"]);

  const first = registry.page({}, { limit: 2 });
  assert.deepEqual(first.services.map((e) => e.id), ["api-a", "api-b"]);
  assert.equal(first.seq, registry.seq);
  assert.ok(first.next_cursor !== null);
  await registry.deregister("api-b");
  const second = registry.page({}, { limit: 2, cursor: first.next_cursor });
  assert.deepEqual(second.services.map((e) => e.id), ["db"], "the cursor outlives its entry");
  assert.equal(second.next_cursor, null);
});

Deno.test("Registry.resolve: endpoints of usable instances", async () => {
  const { registry } = await openWith();
  await using _ = registry;
  for (const host of ["h1", "h2", "h3"]) {
    const endpoints = [endpoint("http", `${host}:80`), endpoint("admin", `${host}:81`)];
    await registry.register(serviceInput("web", { id: `web@${host}`, endpoints }));
  }
  await refusal("not_found", () => registry.resolve("nope"));
  const none = await refusal("unavailable", () => registry.resolve("web"));
  assert.match(none.message, /web@h1: registered/);
  for (const id of ["web@h1", "web@h2"]) {
    await registry.update(id, { state: "starting" });
    await registry.update(id, { state: "running" });
  }
  assert.deepEqual(registry.resolve("web", "http"), [
    { id: "web@h1", ...endpoint("http", "h1:80") },
    { id: "web@h2", ...endpoint("http", "h2:80") },
  ]);
  const sick = { healthy: false, message: "503", checked_at: "t", duration_ms: 1 };
  await registry.update("web@h1", { last_health_check: sick });
  assert.deepEqual(registry.resolve("web").map((e) => e.address), ["h2:80", "h2:81"]);
  assert.deepEqual(registry.resolve("web@h2", "admin").map((e) => e.address), ["h2:81"]);
  await refusal("not_found", () => registry.resolve("web", "grpc"));
  await registry.update("web@h2", { state: "failed", state_reason: "exit code 3" });
  const why = await refusal("unavailable", () => registry.resolve("web"));
  assert.match(why.message, /web@h1: unhealthy, 503, web@h2: failed, exit code 3/);
  await registry.update("web@h3", { endpoints: [], state: "starting" });
  await registry.update("web@h3", { state: "running" });
  const bare = await refusal("unavailable", () => registry.resolve("web", "http"));
  assert.match(bare.message, /its running instances have no endpoints$/);
  assert.deepEqual(Object.keys(registry.endpoints()), ["web@h1", "web@h2", "web@h3"]);
});

Deno.test("Registry: two over one store; one wins a race", async () => {
  const store = new MemoryStore();
  await using a = await Registry.open(store);
  await using b = await Registry.open(store);
  await a.register(serviceInput("web"));
  assert.equal(b.get("web").revision, 1);
  const results = await Promise.allSettled([
    a.update("web", { version: "a" }),
    b.update("web", { version: "b" }),
  ]);
  const won = results.flatMap((r) => r.status === "fulfilled" ? [r.value.version] : []);
  assert.equal(a.get("web"), b.get("web"));
  assert.equal(a.get("web").revision, 1 + won.length);
  assert.ok(won.includes(a.get("web").version));
});

Deno.test("Registry.list: 10,000 entries cost a copy of the list", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await Promise.all(
    Array.from({ length: 10_000 }, (_, i) => registry.register(serviceInput(`s${i}`))),
  );
  const all = registry.list();
  assert.equal(all.length, 10_000);
  assert.deepEqual(all.map((e) => e.id), all.map((e) => e.id).sort());
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const page: ReturnType<Registry["page"]> = registry.page({}, {
      limit: 999,
      ...(cursor === null ? {} : { cursor }),
    });
    seen.push(...page.services.map((e) => e.id));
    cursor = page.next_cursor;
  } while (cursor !== null);
  assert.deepEqual(seen, all.map((e) => e.id));
});

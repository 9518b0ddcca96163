import assert from "node:assert/strict";
import { findCycle, startOrder } from "../../src/registry/dependencies.ts";
import { Registry } from "../../src/registry/registry.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { refusal } from "../helpers/rejects.ts";

const needs = (depends_on: string[]) => ({ depends_on });

Deno.test("Registry.dependencies: needs, dependents, unmet and waves", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register(serviceInput("frontend", needs(["backend", "cache"])));
  await registry.register(serviceInput("backend", needs(["database"])));
  await registry.register(serviceInput("database"));
  await registry.register(serviceInput("worker", { id: "worker@h1", ...needs(["backend"]) }));
  assert.deepEqual(registry.get("backend").depends_on, ["database"]);
  assert.deepEqual(registry.dependencies("frontend"), {
    dependencies: ["backend", "cache"],
    dependents: [],
    unmet: ["cache"],
    start_order: [["database"], ["backend"], ["frontend"]],
  });
  assert.deepEqual(registry.dependencies("backend").dependents, ["frontend", "worker"]);
  assert.deepEqual(registry.dependencies("worker@h1").dependencies, ["backend"]);
  await refusal("not_found", () => registry.dependencies("cache"));
});

Deno.test("Registry: refuses a dependency cycle and names it", async () => {
  await using registry = await Registry.open(new MemoryStore());
  const self = await refusal(
    "invalid_params",
    () => registry.register(serviceInput("a", needs(["a"]))),
  );
  assert.match(self.message, /a → a/);
  await registry.register(serviceInput("a", needs(["b"])));
  const pair = await refusal(
    "invalid_params",
    () => registry.register(serviceInput("b", needs(["a"]))),
  );
  assert.match(pair.message, /b → a → b/);
  await registry.register(serviceInput("b", needs(["c"])));
  await registry.register(serviceInput("c"));
  const long = await refusal("invalid_params", () => registry.update("c", needs(["x", "a"])));
  assert.deepEqual(long.details?.cycle, ["c", "a", "b", "c"]);
  assert.deepEqual(registry.get("c").depends_on, []);
  await registry.update("b", needs([]));
  await registry.update("c", needs(["a"]));
});

Deno.test("Registry: two concurrent changes cannot close a cycle", async () => {
  await using registry = await Registry.open(new MemoryStore());
  const results = await Promise.allSettled([
    registry.register(serviceInput("a", needs(["b"]))),
    registry.register(serviceInput("b", needs(["a"]))),
  ]);
  assert.deepEqual(results.map((r) => r.status), ["fulfilled", "rejected"]);
});

/** A chain `c0 → c1 → …` of so many services, and `head`, which `top` needs. */
async function deepRegistry(depth: number): Promise<Registry> {
  const registry = await Registry.open(new MemoryStore());
  for (let i = depth - 1; i >= 0; i--) {
    await registry.register(serviceInput(`c${i}`, needs(i === depth - 1 ? [] : [`c${i + 1}`])));
  }
  await registry.register(serviceInput("head"));
  await registry.register(serviceInput("top", needs(["head"])));
  return registry;
}

Deno.test("Registry: a search for cycles pauses in a deep graph", async () => {
  await using registry = await deepRegistry(5_000);
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  await registry.update("head", needs(["c0"]));
  clearInterval(timer);
  assert.ok(turns > 3, `others had ${turns} turns`);
  const cycle = await refusal("invalid_params", () => registry.update("c4999", needs(["top"])));
  assert.equal(cycle.details?.cycle_length, 5_002);
  assert.deepEqual(registry.get("c4999").depends_on, []);
});

Deno.test("Registry: of two that close a deep cycle one is refused", async () => {
  const changes = [["head", "c0"], ["c1999", "top"]] as const;
  for (const order of [changes, [...changes].reverse()]) {
    await using registry = await deepRegistry(2_000);
    const results = await Promise.allSettled(
      order.map(([name, need]) => registry.update(name, needs([need]))),
    );
    assert.deepEqual(results.map((r) => r.status), ["fulfilled", "rejected"], order.join());
    assert.equal(registry.dependencies("top").unmet.length, 0);
  }
});

Deno.test("findCycle, startOrder: graphs deeper than the call stack", () => {
  const depth = 50_000;
  const next = (name: string) => Number(name) < depth ? [String(Number(name) + 1)] : [];
  assert.equal(findCycle("x", ["0"], next), null);
  const names = Array.from({ length: depth + 1 }, (_, i) => String(i));
  assert.equal(startOrder(names, next).length, depth + 1);
});

Deno.test("startOrder: one wave of independents; a cycle is a conflict", async () => {
  const graph: Record<string, string[]> = { a: ["c"], b: ["c", "d"], c: [], d: [] };
  const order = startOrder(Object.keys(graph), (n) => graph[n] ?? []);
  assert.deepEqual(order, [["c", "d"], ["a", "b"]]);
  const loop: Record<string, string[]> = { a: ["b"], b: ["a"] };
  await refusal("conflict", () => startOrder(Object.keys(loop), (n) => loop[n] ?? []));
});

Deno.test("Registry.dependencySteps: pauses in large graphs", async () => {
  await using registry = await Registry.open(new MemoryStore());
  const names = Array.from({ length: 5000 }, (_, i) => `s${i}`);
  await registry.register(serviceInput("hub"));
  // Half of them need the hub, the others each other in a row, and one needs many.
  await Promise.all(names.map((name, i) => {
    const needed = i % 2 === 0 || i < 2 ? "hub" : `s${i - 2}`;
    return registry.register(serviceInput(name, needs([needed])));
  }));
  for (const name of ["hub", "s4999", "s4998"]) {
    const steps = registry.dependencySteps(name);
    let pauses = 0;
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) pauses++;
    assert.deepEqual(step.value, registry.dependencies(name));
    assert.equal(pauses > 5, name !== "s4998", `${name}: ${pauses} pauses`);
  }
  const hub = registry.dependencies("hub");
  assert.equal(hub.dependents.length, 2501);
  assert.deepEqual(hub.dependents, hub.dependents.toSorted());
  const last = registry.dependencies("s4999");
  assert.equal(last.start_order.length, 2501);
  assert.deepEqual(last.start_order.slice(0, 3), [["hub"], ["s1"], ["s3"]]);
});

Deno.test("Registry.dependencySteps: a change in a pause is no cycle", async () => {
  await using registry = await Registry.open(new MemoryStore());
  const names = Array.from({ length: 2000 }, (_, i) => `s${i}`);
  for (const [i, name] of names.entries()) {
    await registry.register(serviceInput(name, needs(i === 1999 ? [] : [`s${i + 1}`])));
  }
  const steps = registry.dependencySteps("s0");
  assert.equal(steps.next().done, false);
  // What was read first needs nothing any more, and what comes last needs it instead.
  await registry.update("s0", needs([]));
  await registry.update("s1999", needs(["s0"]));
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  assert.deepEqual(step.value.start_order, [["s0"]]);
  assert.deepEqual(step.value.dependents, ["s1999"]);
});

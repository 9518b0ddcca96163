import assert from "node:assert/strict";
import fc from "fast-check";
import { HarnessError } from "../../src/errors.ts";
import { SERVICE_STATES, type ServiceEntry, type ServiceState } from "../../src/model/service.ts";
import type { RegistryEvent } from "../../src/model/event.ts";
import { applyEvent } from "../../src/registry/apply_event.ts";
import { Registry } from "../../src/registry/registry.ts";
import type { Store } from "../../src/registry/store.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { MemoryDisk } from "../helpers/memory_disk.ts";
import { SEED } from "../helpers/seed.ts";

type Operation =
  | { do: "register"; id: string; version: string; replace: boolean }
  | { do: "state"; id: string; state: ServiceState }
  | { do: "version"; id: string; version: string; ifRevision: number | null }
  | { do: "health"; id: string; healthy: boolean }
  | { do: "deregister"; id: string };

interface ModelEntry {
  state: ServiceState;
  version: string;
  healthy: boolean | null;
  revision: number;
}

/** The contract's transitions, written down a second time, as a person would read them. */
const NEXT: Record<ServiceState, ServiceState[]> = {
  registered: ["starting", "failed"],
  starting: ["running", "stopping", "failed"],
  running: ["stopping", "failed"],
  stopping: ["stopped", "failed"],
  stopped: ["starting", "failed"],
  failed: ["starting", "failed"],
};

const id = fc.constantFrom("a", "b", "c");
const version = fc.constantFrom("1", "2");
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ do: fc.constant("register" as const), id, version, replace: fc.boolean() }),
  fc.record({ do: fc.constant("state" as const), id, state: fc.constantFrom(...SERVICE_STATES) }),
  fc.record({
    do: fc.constant("version" as const),
    id,
    version,
    ifRevision: fc.option(fc.integer({ min: 1, max: 6 })),
  }),
  fc.record({ do: fc.constant("health" as const), id, healthy: fc.boolean() }),
  fc.record({ do: fc.constant("deregister" as const), id }),
);
/** Operations of one inner list are issued at once, the lists one after the other. */
const batches = fc.array(fc.array(operation, { minLength: 1, maxLength: 12 }), { maxLength: 12 });

/** What the operation must answer, and what it makes of the model. `known` = what was there when it was issued. */
function expected(
  model: Map<string, ModelEntry>,
  known: ReadonlySet<string>,
  op: Operation,
): string {
  const entry = model.get(op.id);
  if (op.do === "register") {
    if (entry === undefined) {
      model.set(op.id, {
        state: "registered",
        version: op.version,
        healthy: null,
        revision: 1,
      });
      return "ok";
    }
    if (!op.replace) return "already_exists";
    return changed(entry, entry.version !== op.version, { version: op.version });
  }
  if (!known.has(op.id) || entry === undefined) return "not_found";
  switch (op.do) {
    case "state":
      if (!NEXT[entry.state].includes(op.state)) return "invalid_transition";
      return changed(entry, entry.state !== op.state, {
        state: op.state,
        ...(["starting", "stopped", "failed"].includes(op.state) ? { healthy: null } : {}),
      });
    case "version":
      if (op.ifRevision !== null && op.ifRevision !== entry.revision) return "conflict";
      return changed(entry, entry.version !== op.version, { version: op.version });
    case "health":
      if (["stopped", "failed"].includes(entry.state)) return "ok";
      return changed(entry, entry.healthy !== op.healthy, { healthy: op.healthy });
    case "deregister":
      model.delete(op.id);
      return "ok";
  }
}

function changed(entry: ModelEntry, really: boolean, to: Partial<ModelEntry>): string {
  if (really) Object.assign(entry, to, { revision: entry.revision + 1 });
  return "ok";
}

async function run(registry: Registry, op: Operation): Promise<string> {
  try {
    if (op.do === "register") {
      const { replace, version } = op;
      await registry.register(serviceInput(op.id, { version }), { replace });
    } else if (op.do === "state") {
      await registry.update(op.id, { state: op.state });
    } else if (op.do === "version") {
      const ifRevision = op.ifRevision ?? undefined;
      await registry.update(op.id, { version: op.version }, { ifRevision });
    } else if (op.do === "health") {
      const result = { healthy: op.healthy, message: null, checked_at: "t", duration_ms: 0 };
      await registry.update(op.id, { last_health_check: result });
    } else {
      await registry.deregister(op.id);
    }
    return "ok";
  } catch (error) {
    assert.ok(error instanceof HarnessError, String(error));
    return error.code;
  }
}

function summary(entry: ServiceEntry): [string, ModelEntry] {
  const { state, version, revision, last_health_check } = entry;
  return [entry.id, { state, version, healthy: last_health_check?.healthy ?? null, revision }];
}

async function check(store: Store, lists: Operation[][]): Promise<void> {
  await using registry = await Registry.open(store);
  const events: RegistryEvent[] = [];
  registry.subscribe((event) => events.push(event));
  const model = new Map<string, ModelEntry>();
  for (const list of lists) {
    const known = new Set(model.keys());
    const answers = Promise.all(list.map((op) => run(registry, op)));
    const wanted = list.map((op) => expected(model, known, op));
    assert.deepEqual(await answers, wanted);
    assert.deepEqual(registry.list().map(summary), [...model].sort(([a], [b]) => a < b ? -1 : 1));
  }
  assert.deepEqual(events.map((e) => e.seq), events.map((_, i) => i + 1), "gapless");
  const folded = new Map<string, ServiceEntry>();
  for (const event of events) applyEvent(folded, event);
  assert.deepEqual(
    [...folded.values()].sort((a, b) => a.id < b.id ? -1 : 1),
    registry.list(),
    "the events fold to the state",
  );
  assert.deepEqual(await registry.history(0, Infinity), events);
}

Deno.test("Registry: random operations as in the model, in memory", async () => {
  await fc.assert(fc.asyncProperty(batches, (lists) => check(new MemoryStore(), lists)), {
    seed: SEED,
    numRuns: 300,
  });
});

Deno.test("Registry: random operations as in the model, over files", async () => {
  const dir = await Deno.makeTempDir({ prefix: "harness-registry-" });
  try {
    await fc.assert(
      fc.asyncProperty(
        batches,
        (lists) =>
          check(
            new FileStore({ dir, disk: new MemoryDisk(), tuning: { segmentBytes: 2_000 } }),
            lists,
          ),
      ),
      { seed: SEED, numRuns: 150 },
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

/** What a new server knows of the restarts that the one before had planned. */
import assert from "node:assert/strict";
import type { RestartState } from "../../src/lifecycle/supervisor/restart_policy.ts";
import { SERVICE_STATES } from "../../src/model/service.ts";
import { Registry } from "../../src/registry/registry.ts";
import { recordedState } from "../../src/server/services/entry_state.ts";
import { RestartStateStore } from "../../src/server/services/restart_state.ts";
import { Documents } from "../../src/storage/documents.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { service } from "../helpers/test_server.ts";

const planned: RestartState = {
  attempts: 2,
  history: [{ at: "2026-11-23T11:57:19.024Z", reason: "ended by SIGKILL" }],
  planned: true,
};

Deno.test("RestartStateStore: keeps states across a restart", async () => {
  const dir = await Deno.makeTempDir({ prefix: "harness-memories-" });
  try {
    const documents = new Documents({ dir });
    const before = await RestartStateStore.load(documents);
    await before.put("web@[::1]:22", planned);
    await before.put("given-up", { ...planned, planned: false });
    await before.put("db", planned);
    await before.put("db", { attempts: 0, history: planned.history, planned: false });
    await before.put("gone", planned);
    await before.remove("gone");
    await before.remove("never-there");
    const after = await RestartStateStore.load(documents);
    assert.deepEqual(after.get("web@[::1]:22"), planned);
    assert.deepEqual(after.get("given-up"), { ...planned, planned: false });
    assert.deepEqual([after.get("db"), after.get("gone")], [null, null]);
    const files = await Array.fromAsync(Deno.readDir(`${dir}/restarts`));
    assert.equal(files.length, 2);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("recordedState(): plans restarts of failed entries only", async () => {
  let now = Date.parse("2099-01-01T00:00:00.000Z");
  await using registry = await Registry.open(new MemoryStore(), { now: () => now });
  const entry = await registry.register(service("api"));
  for (const state of SERVICE_STATES) {
    const recorded = recordedState({ ...entry, state }, planned);
    assert.equal(recorded.restarts?.planned, state === "failed", state);
    assert.equal(recorded.restarts?.attempts, 2, "but the count goes on");
    assert.equal(recorded.running, ["starting", "running", "stopping"].includes(state), state);
    assert.equal(recorded.stopping, state === "stopping", state);
    assert.equal(recorded.upMs, 0, "it was registered in the future");
  }
  now = Date.now() - 90_000;
  const old = await registry.register(service("old"));
  const { upMs, restarts } = recordedState({ ...old, state: "running" }, null);
  assert.ok(upMs !== undefined && upMs >= 90_000, `${upMs}`);
  assert.equal(restarts, null);
});

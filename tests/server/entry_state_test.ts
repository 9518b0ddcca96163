import assert from "node:assert/strict";
import { SERVICE_STATES, type ServiceState } from "../../src/model/service.ts";
import { Registry } from "../../src/registry/registry.ts";
import { advanceTo } from "../../src/server/services/entry_state.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";

/** How an entry gets into each state. */
const PATHS: Readonly<Record<ServiceState, readonly ServiceState[]>> = {
  registered: [],
  starting: ["starting"],
  running: ["starting", "running"],
  stopping: ["starting", "running", "stopping"],
  stopped: ["starting", "running", "stopping", "stopped"],
  failed: ["failed"],
};

Deno.test("advanceTo: from every state to every goal", async () => {
  for (const from of SERVICE_STATES) {
    for (const to of ["running", "stopped", "failed"] as const) {
      await using registry = await Registry.open(new MemoryStore());
      await registry.register({
        name: "api",
        version: "1",
        execution: { type: "systemd_service", unit_name: "api.service" },
      });
      for (const state of PATHS[from]) await registry.update("api", { state });
      // The registry refuses every illegal transition on the way.
      await advanceTo(registry, "api", to, "test");
      assert.equal(registry.get("api").state, to, `from ${from}`);
    }
  }
});

Deno.test("advanceTo(): drops a failed check of the previous run", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register({
    name: "api",
    version: "1",
    execution: { type: "systemd_service", unit_name: "api.service" },
    endpoints: [{ name: "http", address: "10.0.0.1:80", protocol: "http", metadata: {} }],
  });
  await advanceTo(registry, "api", "running", "first start");
  const checked_at = new Date().toISOString();
  await registry.recordHealth("api", {
    healthy: false,
    message: "503",
    checked_at,
    duration_ms: 1,
  });
  assert.throws(() => registry.resolve("api"), /api/);
  await advanceTo(registry, "api", "stopped", "stop");
  await advanceTo(registry, "api", "running", "second start");
  assert.equal(registry.resolve("api").length, 1);
});

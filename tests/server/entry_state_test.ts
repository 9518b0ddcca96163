import assert from "node:assert/strict";
import { SERVICE_STATES } from "../../src/model/service.ts";
import { Registry } from "../../src/registry/registry.ts";
import { canTransition } from "../../src/registry/change.ts";
import { advanceTo, statePath } from "../../src/server/services/entry_state.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";

Deno.test("statePath() uses legal transitions from and to every state", () => {
  for (const from of SERVICE_STATES) {
    for (const to of ["running", "stopped", "failed"] as const) {
      const path = statePath(from, to);
      assert.equal(path.at(-1) ?? from, to);
      let before = from;
      for (const state of path) {
        assert.ok(canTransition(before, state), `${before} → ${state} on the way to ${to}`);
        before = state;
      }
    }
  }
});

Deno.test("advanceTo() forgets a bad health check of the run before", async () => {
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

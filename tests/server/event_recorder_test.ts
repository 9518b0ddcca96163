/** What a supervisor reports, as the registry keeps it. */
import assert from "node:assert/strict";
import type { HealthEvent, HostEvent } from "../../src/lifecycle/supervisor/events.ts";
import { Registry } from "../../src/registry/registry.ts";
import { advanceTo } from "../../src/server/services/entry_state.ts";
import { recordSupervisorEvent } from "../../src/server/services/event_recorder.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { service } from "../helpers/test_server.ts";

function health(healthy: boolean, news: boolean): HealthEvent {
  return {
    type: "health",
    id: "api",
    healthy,
    changed: news,
    publish: news,
    failures: healthy ? 0 : 3,
    message: healthy ? "200" : "3/3 failed: 503",
    result: {
      healthy,
      status: healthy ? "ok" : "critical",
      message: "",
      http_status: null,
      output: null,
      checked_at: "2026-11-23T11:57:19.024Z",
      duration_ms: 1,
    },
  };
}

const host = (reachable: boolean): HostEvent => {
  const reason = reachable ? "" : "no route";
  return { type: "host", host: "h1", reachable, reason, ids: ["api"] };
};

Deno.test("recordSupervisorEvent(): keeps a failed check on reconnect", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register(service("api"));
  await advanceTo(registry, "api", "running", "started");
  const shown = () => registry.get("api").last_health_check?.healthy ?? null;
  await recordSupervisorEvent(registry, health(false, true));
  assert.equal(shown(), false);
  await recordSupervisorEvent(registry, host(false));
  await recordSupervisorEvent(registry, host(true));
  assert.equal(shown(), true, "until it is checked");
  await recordSupervisorEvent(registry, health(false, false));
  assert.equal(shown(), false, "no news for the monitor, but for the registry");
  const { seq } = registry;
  await recordSupervisorEvent(registry, health(false, false));
  assert.equal(registry.seq, seq, "nothing is told twice");
});

Deno.test("recordSupervisorEvent(): drops health of stopped services", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await registry.register(service("api"));
  await advanceTo(registry, "api", "running", "started");
  await recordSupervisorEvent(registry, health(true, true));
  await advanceTo(registry, "api", "stopped", "stopped by client");
  const { seq } = registry;
  await recordSupervisorEvent(registry, health(true, true));
  assert.deepEqual([registry.get("api").last_health_check, registry.seq], [null, seq]);
});

import assert from "node:assert/strict";
import type { EventItem } from "../../src/client/mod.ts";
import { eventText } from "../../src/cli/commands/watch.ts";

function text<E extends EventItem["event"]>(
  event: E,
  data: Extract<EventItem, { event: E }>["data"],
): string {
  return eventText({ kind: "event", event, data, seq: 1, time: "" } as unknown as EventItem);
}

Deno.test("eventText(): formats every event in one line", () => {
  const who = { service: "web", id: "web@h1" };
  const state = { ...who, old_state: "starting", new_state: "failed", revision: 2 } as const;
  assert.equal(
    text("service_state_changed", { ...state, reason: "exit code 7" }),
    "web@h1  starting → failed: exit code 7",
  );
  assert.equal(
    text("service_state_changed", { ...state, reason: null }),
    "web@h1  starting → failed",
  );
  assert.equal(text("service_deregistered", who), "web@h1  deregistered");
  const endpoint = { name: "http", address: "h1:80", protocol: "http", metadata: {} } as const;
  assert.equal(
    text("endpoint_updated", { ...who, endpoints: [endpoint], revision: 2 }),
    "web@h1  endpoints: http h1:80",
  );
  assert.equal(
    text("endpoint_updated", { ...who, endpoints: [], revision: 2 }),
    "web@h1  endpoints: none",
  );
  const health = { ...who, checked_at: "", duration_ms: 12.4, revision: 2 };
  assert.equal(
    text("health_check_result", { ...health, healthy: false, message: "503" }),
    "web@h1  unhealthy: 503 (12 ms)",
  );
  assert.equal(
    text("health_check_result", { ...health, healthy: true, message: null }),
    "web@h1  healthy (12 ms)",
  );
  const step = { ...who, deployment_id: "d-1", at: "" };
  assert.equal(
    text("deployment_progress", {
      ...step,
      host: "h1",
      step: "upload",
      status: "done",
      message: "x",
    }),
    "d-1  h1  upload done: x",
  );
  assert.equal(
    text("deployment_progress", {
      ...step,
      id: null,
      host: null,
      step: "finish",
      status: "done",
      deployment_status: "succeeded",
    }),
    "d-1  all  finish succeeded",
  );
  assert.equal(text("service_log", { ...who, line: "hello" }), "web@h1  hello");
});

Deno.test("eventText: messages and reasons are printed as they are", () => {
  const who = { service: "web", id: "web@h1" };
  const step = { ...who, deployment_id: "d-1", at: "", status: "done" } as const;
  const said = "healthy: this token may only read";
  assert.equal(
    text("deployment_progress", { ...step, host: "h1", step: "health", message: said }),
    `d-1  h1  health done: ${said}`,
  );
  const reason = "health check http failed 3/3: 503 this token may only read";
  assert.equal(
    text("service_state_changed", {
      ...{ ...who, old_state: "running", new_state: "failed", revision: 2, reason },
    }),
    `web@h1  running → failed: ${reason}`,
  );
});

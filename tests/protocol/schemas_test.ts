/** The published schemas: fresh, and true of what a server sends. */
import assert from "node:assert/strict";
import { type Action, ACTION_NAMES, ACTIONS } from "../../src/protocol/actions.ts";
import { wireErrorSchema } from "../tools/protocol_schemas.ts";
import { EVENTS } from "../../src/protocol/events.ts";
import type { WireEventType } from "../../src/protocol/messages.ts";
import { type Frame, RawClient } from "../helpers/raw_client.ts";
import { service, startServer } from "../helpers/test_server.ts";
import { SCHEMA_DIR, schemaFiles } from "../tools/generate_schema.ts";

Deno.test("docs/schema: is up to date with `deno task schema`", async () => {
  const expected = schemaFiles();
  const found: string[] = [];
  for await (const { name } of Deno.readDir(SCHEMA_DIR)) {
    found.push(name);
    assert.equal(await Deno.readTextFile(new URL(name, SCHEMA_DIR)), expected.get(name), name);
  }
  assert.deepEqual(found.toSorted(), [...expected.keys()].toSorted());
});

Deno.test("docs/protocol.md: lists all actions, events, codes, limits", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/protocol.md", import.meta.url));
  await using running = await startServer({ listener: "deno" });
  await using client = await RawClient.connect(running.url);
  const { limits } = (await client.next())["data"];
  const { ERROR_CODES } = await import("../../src/errors.ts");
  const names = [...ACTION_NAMES, ...Object.keys(EVENTS), ...ERROR_CODES]
    .concat(Object.keys(limits));
  assert.deepEqual(names.filter((name) => !text.includes(`| \`${name}\``)), []);
});

Deno.test("schemas: match every frame of a session exactly", async () => {
  await using running = await startServer({
    listener: "deno",
    limits: { bookmarkIntervalMs: 20 },
    services: {
      act: ({ name }) =>
        Promise.resolve({ service: name, old_state: "stopped", new_state: "running" }),
      logs: () => Promise.resolve({ lines: ["a"] }),
      async *follow() {
        yield "a line";
      },
    },
  });
  const { registry } = running;
  const client = await RawClient.connect(running.url);
  const asked = new Map<string, Action>();
  const ask = async (action: Action, params: unknown = {}): Promise<void> => {
    const id = client.ask(action, params);
    asked.set(id, action);
    await client.take((frame) => frame["id"] === id, action);
  };
  const endpoints = [{ name: "http", address: "h:1", protocol: { custom: "x" }, metadata: {} }];
  await ask("register_service", { service: service("db") });
  await ask("subscribe", { snapshot: true });
  await ask("register_service", { service: { ...service("api"), endpoints: [], ttl_ms: 60_000 } });
  await ask("subscribe", { events: ["service_log"], services: ["api"] });
  await ask("update_service", { name: "api", labels: { a: "b" }, endpoints, state: "starting" });
  await ask("update_service", { name: "api", state: "running" });
  const details = { exit_code: 3, signal: null, log: ["last words"] };
  await registry.update("db", { state: "failed", state_reason: "exit code 3" }, { details });
  const checked_at = new Date().toISOString();
  await registry.update("api", {
    last_health_check: { healthy: true, message: null, checked_at, duration_ms: 1 },
  });
  await registry.publish({
    event: "deployment_progress",
    data: {
      deployment_id: "d-1",
      service: "api",
      id: null,
      host: null,
      step: "finish",
      status: "failed",
      deployment_status: "failed",
      at: checked_at,
      error: { code: "deploy_failed", message: "x", details: { step: "start" } },
    },
  });
  for (const action of ["list_services", "list_endpoints"] as const) await ask(action);
  await ask("list_services", { limit: 1 });
  for (const action of ["get_service", "heartbeat", "get_dependencies", "service_logs"] as const) {
    await ask(action, { name: "api" });
  }
  await ask("resolve_endpoint", { service: "api" });
  await ask("service_action", { name: "api", action: "start" });
  await ask("list_packages");
  await ask("deregister_service", { name: "db" });
  await client.event("service_log");
  await client.event("bookmark");
  await ask("unsubscribe");
  await running.server.shutdown();
  await client.closed;

  const events = new Set<string>();
  for (const frame of client.log) {
    if (frame["type"] === "event") events.add(checkEvent(frame));
    else checkResponse(frame, asked.get(frame["id"]));
  }
  assert.deepEqual([...events].toSorted(), Object.keys(EVENTS).toSorted());
});

function checkEvent(frame: Frame): string {
  const name = frame["event"] as WireEventType;
  assert.deepEqual(EVENTS[name].data.parse(frame["data"]), frame["data"], name);
  assert.equal("seq" in frame, EVENTS[name].seq, name);
  return name;
}

function checkResponse(frame: Frame, action: Action | undefined): void {
  assert.ok(action !== undefined);
  if ("error" in frame) assert.deepEqual(wireErrorSchema.parse(frame["error"]), frame["error"]);
  else assert.deepEqual(ACTIONS[action].data.parse(frame["data"]), frame["data"], action);
}

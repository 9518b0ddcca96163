/** What is checked without a schema: the same params are accepted, and become the same. */
import assert from "node:assert/strict";
import { type Action, ACTION_NAMES, ACTIONS } from "../../src/protocol/actions.ts";
import type { ActionDefinition } from "../../src/protocol/action_table.ts";
import { MORE_PARAMS, VALID_PARAMS } from "./valid_params.ts";

const ODD: readonly unknown[] = [
  ...[null, true, 0, -1, 1.5, 99, 1e300, "", " ", "x", "-x", "x\n", "x\u0007", "\ud800", "é"],
  ...["h:1", "h:01", "010.0.0.1:1", "[::1]:1", "h:0", "a@h", "x".repeat(200), "x".repeat(5000)],
  ...[[], ["b", "b"], ["b", 1], Array(2000).fill("b"), {}, { a: 1 }, { " ": "b" }, [[]], [{}]],
  ...["http", "running", "systemd_service", "managed_process", "docker_container", "local"],
  ...[{ type: "local" }, { type: "local", host: "h" }, JSON.parse('{"__proto__": "b"}')],
  ...[{ type: "systemd_service", unit_name: "a" }, { type: "systemd_service", command: "a" }],
  ...[{ type: "managed_process", command: "a" }, { type: "docker_container", image: "a" }],
  Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`label-${i}`, "b"])),
  Array.from({ length: 65 }, (_, i) => ({ name: `e${i}`, address: "h:1", protocol: "http" })),
  [1, 1].map(() => ({ name: "a", address: "h:1", protocol: "http" })),
];

/** A value with any one place in it replaced by something odd, left out, or joined by an unknown field. */
function* changed(value: unknown): Generator<unknown> {
  yield* ODD;
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) {
      for (const other of changed(item)) yield value.with(at, other);
    }
  } else if (typeof value === "object" && value !== null) {
    yield { ...value, unknown: 1 };
    for (const [key, item] of Object.entries(value)) {
      const { [key]: _, ...without } = value as Record<string, unknown>;
      yield without;
      for (const other of changed(item)) yield { ...value, [key]: other };
    }
  }
}

const PLAIN = {
  name: "a",
  version: "1",
  execution: { type: "systemd_service", unit_name: "a.service" },
  endpoints: [{ name: "http", address: "h:1", protocol: "http", metadata: { a: "b" } }],
  labels: { a: "b" },
  depends_on: ["b"],
};

const SAMPLES: ReadonlyArray<readonly [Action, unknown]> = [
  ...ACTION_NAMES.map((action) => [action, VALID_PARAMS[action]] as const),
  ...MORE_PARAMS,
  ["register_service", { service: PLAIN }],
  ["register_service", { service: { ...PLAIN, id: "a@h", ttl_ms: 1000 }, replace: true }],
];

function quickOf(action: Action, params: unknown): unknown {
  const { quick }: ActionDefinition<{ params: unknown; data: unknown }> = ACTIONS[action];
  return quick?.(params) ?? null;
}

Deno.test("params: a quick check agrees with the schema", () => {
  let agreed = 0;
  for (const [action, sample] of SAMPLES) {
    for (const value of changed(sample)) {
      const quick = quickOf(action, value);
      if (quick === null) continue;
      const checked = ACTIONS[action].params.safeParse(value);
      assert.ok(checked.success, `${action} ${JSON.stringify(value).slice(0, 300)}`);
      assert.deepEqual(quick, checked.data);
      agreed++;
    }
  }
  assert.ok(agreed > 100, `${agreed} were checked quickly`);
});

Deno.test("params: what is sent most needs no schema", () => {
  const process = { type: "managed_process", command: "/bin/true" };
  for (
    const [action, params] of [
      ["register_service", { service: PLAIN }],
      ["register_service", { service: { ...PLAIN, execution: process } }],
      ["update_service", { name: "a", version: "2" }],
      ["update_service", VALID_PARAMS.update_service],
      ["get_service", { name: "a" }],
    ] as const
  ) assert.notEqual(quickOf(action, params), null, `${action} ${JSON.stringify(params)}`);
});

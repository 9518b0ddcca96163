/** What the text and the lists in params may be: a field of any action follows the rules unless it is named here. */
import assert from "node:assert/strict";
import { type Action, ACTION_NAMES, ACTIONS } from "../../src/protocol/actions.ts";
import { protocolSchemas } from "../tools/protocol_schemas.ts";
import { MORE_PARAMS, VALID_PARAMS } from "./valid_params.ts";

/** Text for people: lines and tabs are fine, other control characters are not. */
const PROSE: readonly string[] = [
  "register_service.service.labels.*",
  "register_service.service.endpoints[].metadata.*",
  "update_service.labels.*",
  "update_service.endpoints[].metadata.*",
  "update_service.state_reason",
];

/** Passed to a process as it is. */
const PROCESS_TEXT: readonly string[] = [
  "register_service.service.execution.args[]",
  "deploy_package.env.*",
  "deploy_package.secrets.*",
  "resume_deployment.secrets.*",
];

/** Lists in which a value may stand twice, or whose values say only together with others what they are. */
const NOT_DISTINCT: readonly string[] = [
  "register_service.service.execution.args",
  // Two targets may be one machine: the deployments compare them once they are resolved.
  "deploy_package.targets",
  "rollback_service.targets",
];

const BROKEN = ["\0", "\ud800"];
const CONTROLS = ["\x1b", "\x7f", "\x85", "\x08"];
const BREAKS = ["\n", "\r\n", "\t"];
const INVISIBLE = ["\u2028", "\u200b", " "];

/** A string, a list or a record's key in params. */
interface Place {
  /** The action and the fields, such as `subscribe.services[]`. */
  readonly path: string;
  /** What is there. */
  readonly value: unknown;
  /** Whether the params are accepted with another value there. */
  readonly accepts: (value: unknown) => boolean;
}

/** Every string, list and record key in `value`. */
function* placesIn(value: unknown, path: string, accepts: Place["accepts"]): Generator<Place> {
  if (typeof value === "string") yield { path, value, accepts };
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    yield { path, value, accepts };
    for (const [at, item] of value.entries()) {
      yield* placesIn(item, `${path}[]`, (other) => accepts(value.with(at, other)));
    }
    return;
  }
  for (const [key, child] of Object.entries(value)) {
    const isMap = /\.(?:labels|metadata|env|secrets)$/.test(path);
    if (isMap) {
      yield { path: `${path}{}`, value: key, accepts: (other) => accepts({ [`${other}`]: child }) };
    }
    const at = isMap ? `${path}.*` : `${path}.${key}`;
    yield* placesIn(child, at, (other) => accepts({ ...value, [key]: other }));
  }
}

function places(): Place[] {
  const samples = [
    ...ACTION_NAMES.map((action) => [action, VALID_PARAMS[action]] as const),
    ...MORE_PARAMS,
  ];
  return samples.flatMap(([action, params]) => {
    const accepts = (value: unknown) => ACTIONS[action].params.safeParse(value).success;
    assert.ok(accepts(params), `${action} ${JSON.stringify(params)}`);
    return [...placesIn(params, action, accepts)];
  });
}

type Json = Record<string, unknown>;

/** Paths of every string, list and record key that a JSON Schema has. */
function* pathsIn(schema: Json, path: string): Generator<string> {
  for (const word of ["anyOf", "oneOf", "allOf"]) {
    for (const one of (schema[word] ?? []) as Json[]) yield* pathsIn(one, path);
  }
  for (const [name, child] of Object.entries((schema["properties"] ?? {}) as Json)) {
    yield* pathsIn(child as Json, `${path}.${name}`);
  }
  if (schema["propertyNames"] !== undefined) yield `${path}{}`;
  if (typeof schema["additionalProperties"] === "object") {
    yield* pathsIn(schema["additionalProperties"] as Json, `${path}.*`);
  }
  if (schema["type"] === "array") {
    yield path;
    yield* pathsIn(schema["items"] as Json, `${path}[]`);
  }
  if (schema["type"] === "string" && !("const" in schema)) yield path;
}

function schemaPaths(action: Action): string[] {
  const request = protocolSchemas().get(`${action}.request`);
  const params = (request?.["properties"] as Record<string, Json>)["params"];
  assert.ok(params !== undefined && !JSON.stringify(request).includes('"$ref"'));
  return [...pathsIn(params, action)];
}

Deno.test("params: every text and list has a sample", () => {
  const sampled = new Set(places().map(({ path }) => path));
  const all = new Set(ACTION_NAMES.flatMap(schemaPaths));
  assert.deepEqual([...all].filter((path) => !sampled.has(path)), []);
  const named = [...PROSE, ...PROCESS_TEXT, ...NOT_DISTINCT];
  assert.deepEqual(named.filter((path) => !all.has(path)), []);
});

Deno.test("params: text is one clean line unless named here", () => {
  for (const { path, value, accepts } of places()) {
    if (typeof value !== "string") continue;
    const isProse = PROSE.includes(path);
    const isFree = isProse || PROCESS_TEXT.includes(path);
    const refused = [...BROKEN];
    const accepted: string[] = [];
    (PROCESS_TEXT.includes(path) ? accepted : refused).push(...CONTROLS);
    (isFree ? accepted : refused).push(...BREAKS, ...INVISIBLE);
    if (!isFree) assert.ok(!accepts(""), `${path} may not be empty`);
    for (const part of refused) {
      assert.ok(!accepts(value + part), `${path} refuses ${JSON.stringify(part)} at its end`);
      assert.ok(!accepts(part + value), `${path} refuses ${JSON.stringify(part)} before it`);
    }
    for (const part of accepted) {
      assert.ok(accepts(value + part + value), `${path} accepts ${JSON.stringify(part)}`);
    }
  }
});

Deno.test("params: a list names nothing twice unless named here", () => {
  for (const { path, value, accepts } of places()) {
    if (!Array.isArray(value)) continue;
    assert.equal(accepts([...value, value[0]]), NOT_DISTINCT.includes(path), path);
  }
});

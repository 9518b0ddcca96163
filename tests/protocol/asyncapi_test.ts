/** docs/schema/asyncapi.json: fresh, valid by AsyncAPI's own schema, and its examples by those of their messages. */
import assert from "node:assert/strict";
import { Ajv } from "ajv";
import specification from "@asyncapi/specs/schemas/3.0.0-without-$id.json" with { type: "json" };
import { ACTION_NAMES } from "../../src/protocol/actions.ts";
import { EVENTS } from "../../src/protocol/events.ts";
import { CLOSE_CODES } from "../../src/protocol/messages.ts";
import { asyncApi } from "../tools/asyncapi.ts";
import { EXAMPLES } from "../tools/asyncapi_examples.ts";
import { ASYNCAPI_FILE, asyncApiText } from "../tools/generate_schema.ts";

interface Json {
  readonly [key: string]: Json;
}

const document = JSON.parse(asyncApiText()) as Json;

/** What a `$ref` of the document is for, or undefined. */
function resolve(ref: string): unknown {
  return ref.replace("#/", "").split("/")
    .reduce<unknown>((value, key) => (value as Json | undefined)?.[key], document);
}

function refsIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "$ref" && typeof inner === "string" ? [inner] : refsIn(inner)
  );
}

Deno.test("asyncapi.json: is up to date with `deno task schema`", async () => {
  assert.equal(await Deno.readTextFile(ASYNCAPI_FILE), asyncApiText());
});

Deno.test("asyncapi.json: is valid AsyncAPI 3, by its own schema", () => {
  const ajv = new Ajv({ strict: false, validateSchema: false, validateFormats: false });
  const isValid = ajv.compile(specification);
  assert.ok(isValid(asyncApi()), JSON.stringify(isValid.errors?.slice(0, 5), null, 2));
  // It is that schema which decides, not one that allows everything.
  assert.ok(!isValid({ ...asyncApi(), operations: { list_services: { action: "ask" } } }));
  assert.deepEqual(refsIn(document).filter((ref) => resolve(ref) === undefined), []);
});

Deno.test("asyncapi.json: has every action, event and close code", () => {
  const operations = Object.keys(document["operations"] ?? {});
  const wanted = [...ACTION_NAMES, ...Object.keys(EVENTS).map((event) => `on_${event}`)];
  assert.deepEqual(operations.toSorted(), wanted.toSorted());
  const codes = Object.keys(document["channels"]?.["root"]?.["x-close-codes"] ?? {});
  assert.deepEqual(codes.map(Number), Object.values(CLOSE_CODES));
});

Deno.test("asyncapi.json: examples match the schemas of their messages", () => {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  ajv.addSchema({ ...document, $id: "asyncapi" });
  for (const [name, examples] of Object.entries(EXAMPLES)) {
    const message = name.replace(".", "_");
    assert.ok(resolve(`#/components/messages/${message}`) !== undefined, `there is no ${name}`);
    const isValid = ajv.compile({ $ref: `asyncapi#/components/messages/${message}/payload` });
    for (const example of examples) {
      assert.ok(isValid(example), `${name}: ${JSON.stringify(isValid.errors)}`);
    }
    assert.ok(!isValid({ type: "other" }), name);
  }
});

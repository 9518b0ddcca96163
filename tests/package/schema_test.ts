import assert from "node:assert/strict";
import { parse } from "yaml";
import { parseManifest } from "../../src/package/manifest/parse.ts";
import {
  MANIFEST_SCHEMA_FILE,
  manifestJsonSchema,
  manifestSchemaText,
} from "../tools/generate_manifest_schema.ts";

Deno.test("docs/schema/manifest.schema.json: up to date", async () => {
  assert.equal(
    await Deno.readTextFile(MANIFEST_SCHEMA_FILE),
    manifestSchemaText(),
    "run: deno task schema",
  );
});

Deno.test("manifestJsonSchema: describes every key, allows x- only", () => {
  const visit = (schema: Record<string, unknown>, path: string) => {
    const properties = schema["properties"] as Record<string, Record<string, unknown>> | undefined;
    if (properties !== undefined) {
      assert.equal(schema["additionalProperties"], false, path);
      assert.deepEqual(schema["patternProperties"], { "^x-": {} }, path);
    }
    for (const [key, inner] of Object.entries(properties ?? {})) {
      assert.equal(typeof inner["description"], "string", `${path}.${key} has no description`);
      visit(inner, `${path}.${key}`);
    }
    if (schema["items"] !== undefined) {
      visit(schema["items"] as Record<string, unknown>, `${path}[]`);
    }
  };
  visit(manifestJsonSchema(), "manifest");
});

Deno.test("docs/package-format.md: valid manifests, every key", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/package-format.md", import.meta.url));
  const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map((match) => match[1] ?? "");
  assert(examples.length > 0);
  for (const example of examples.filter((text) => text.includes("\nversion:"))) {
    parseManifest(example);
  }
  const whole = parse(examples[0] ?? "") as Record<string, unknown>;
  const { properties } = manifestJsonSchema() as { properties: Record<string, unknown> };
  for (const key of Object.keys(properties)) assert(key in whole, `${key} is not in the example`);
});

Deno.test("docs/package-format.md: explains every reason", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/package-format.md", import.meta.url));
  const source = await Deno.readTextFile(new URL("../../src/package/errors.ts", import.meta.url));
  const reasons = [...source.matchAll(/^ {2}\| "(\w+)"/gm)].map((match) => match[1]);
  assert(reasons.length > 30);
  const section = page.split("## What is refused")[1] ?? "";
  const explained = [...section.matchAll(/^\| `(\w+)` /gm)].map((match) => match[1]);
  assert.deepEqual(explained.toSorted(), reasons.toSorted());
});

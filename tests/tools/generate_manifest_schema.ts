/** Writes docs/schema/manifest.schema.json from the zod schema of the manifest. */
import { z } from "zod";
import { manifestSchema } from "../../src/package/manifest/schema.ts";

/** The part of JSON Schema that is used here. */
interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  patternProperties?: Record<string, JsonSchema>;
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  [key: string]: unknown;
}

/** Where the schema is published. */
export const MANIFEST_SCHEMA_FILE: URL = new URL(
  "../../docs/schema/manifest.schema.json",
  import.meta.url,
);

/** JSON Schema (draft 2020-12) of `manifest.yaml`, as published in docs/schema/manifest.schema.json. */
export function manifestJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(manifestSchema, { io: "input" }) as JsonSchema;
  allowExtensions(schema);
  const { $schema, ...rest } = schema;
  return {
    $schema,
    title: "harness-ws-server package manifest",
    description: "manifest.yaml of a package; docs/package-format.md explains it.",
    ...rest,
  };
}

/** The parser leaves `x-` keys out before the schema sees them; the published schema must say so. */
function allowExtensions(schema: JsonSchema): void {
  if (schema.additionalProperties === false) schema.patternProperties = { "^x-": {} };
  const inner = [
    ...Object.values(schema.properties ?? {}),
    ...(schema.anyOf ?? []),
    ...(schema.items === undefined ? [] : [schema.items]),
    ...(typeof schema.additionalProperties === "object" ? [schema.additionalProperties] : []),
  ];
  for (const one of inner) allowExtensions(one);
}

/** The file's text as it should be. */
export function manifestSchemaText(): string {
  return `${JSON.stringify(manifestJsonSchema(), null, 2)}\n`;
}

if (import.meta.main) await Deno.writeTextFile(MANIFEST_SCHEMA_FILE, manifestSchemaText());

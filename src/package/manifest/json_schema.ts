/**
 * The manifest's JSON Schema, made from the zod schema, for editors and other tools.
 *
 * @module
 */
import { z } from "zod";
import { manifestSchema } from "./schema.ts";

/** The part of JSON Schema that is used here. */
interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  patternProperties?: Record<string, JsonSchema>;
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  [key: string]: unknown;
}

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

/** The keys that the mapping at `path` of a manifest may have. */
export function allowedKeys(path: readonly PropertyKey[]): string[] {
  let schemas: JsonSchema[] = [z.toJSONSchema(manifestSchema, { io: "input" }) as JsonSchema];
  for (const part of path) {
    schemas = schemas.flatMap((schema) => inside(schema, part)).flatMap(branches);
  }
  return [...new Set(schemas.flatMap((schema) => Object.keys(schema.properties ?? {})))];
}

function inside(schema: JsonSchema, part: PropertyKey): JsonSchema[] {
  if (typeof part === "number") return schema.items === undefined ? [] : [schema.items];
  const named = schema.properties?.[String(part)];
  if (named !== undefined) return [named];
  return typeof schema.additionalProperties === "object" ? [schema.additionalProperties] : [];
}

function branches(schema: JsonSchema): JsonSchema[] {
  return [schema, ...(schema.anyOf ?? []).flatMap(branches)];
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

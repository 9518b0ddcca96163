/**
 * The keys that a manifest may have, for hints about unknown ones.
 *
 * @module
 */
import { z } from "zod";
import { manifestSchema } from "./schema.ts";

/** The part of JSON Schema that is used here. */
interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
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

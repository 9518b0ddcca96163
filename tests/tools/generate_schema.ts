/** Writes docs/schema: `deno task schema`. */
import { MANIFEST_SCHEMA_FILE, manifestSchemaText } from "./generate_manifest_schema.ts";
import { asyncApi } from "./asyncapi.ts";
import { protocolSchemas } from "./protocol_schemas.ts";

/** Where the protocol's schemas are kept. */
export const SCHEMA_DIR: URL = new URL("../../docs/schema/protocol/", import.meta.url);

/** The AsyncAPI document. */
export const ASYNCAPI_FILE: URL = new URL("../../docs/schema/asyncapi.json", import.meta.url);

/** Its text. */
export function asyncApiText(): string {
  return JSON.stringify(asyncApi(), null, 2) + "\n";
}

/** The files as they should be: name and text. */
export function schemaFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const [name, schema] of protocolSchemas()) {
    files.set(`${name}.schema.json`, JSON.stringify(schema, null, 2) + "\n");
  }
  return files;
}

if (import.meta.main) {
  await Deno.mkdir(SCHEMA_DIR, { recursive: true });
  for await (const { name } of Deno.readDir(SCHEMA_DIR)) {
    await Deno.remove(new URL(name, SCHEMA_DIR));
  }
  for (const [name, text] of schemaFiles()) {
    await Deno.writeTextFile(new URL(name, SCHEMA_DIR), text);
  }
  await Deno.writeTextFile(ASYNCAPI_FILE, asyncApiText());
  await Deno.writeTextFile(MANIFEST_SCHEMA_FILE, manifestSchemaText());
}

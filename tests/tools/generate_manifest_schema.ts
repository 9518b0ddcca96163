/** Writes docs/schema/manifest.schema.json from the zod schema of the manifest. */
import { manifestJsonSchema } from "../../src/package/manifest/json_schema.ts";

/** Where the schema is published. */
export const MANIFEST_SCHEMA_FILE: URL = new URL(
  "../../docs/schema/manifest.schema.json",
  import.meta.url,
);

/** The file's text as it should be. */
export function manifestSchemaText(): string {
  return `${JSON.stringify(manifestJsonSchema(), null, 2)}\n`;
}

if (import.meta.main) await Deno.writeTextFile(MANIFEST_SCHEMA_FILE, manifestSchemaText());

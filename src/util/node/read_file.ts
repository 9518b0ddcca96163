/**
 * Reads files; on Deno without `node:fs`, which takes 12 ms to load.
 *
 * @module
 */
import { runtimeName } from "./runtime.ts";

/** The size of a file in bytes. */
export async function fileSize(path: string): Promise<number> {
  if (runtimeName() === "deno") return (await Deno.stat(path)).size;
  const { stat } = await import("node:fs/promises");
  return (await stat(path)).size;
}

/** The content of a file. */
export async function readBytes(path: string): Promise<Uint8Array> {
  if (runtimeName() === "deno") return await Deno.readFile(path);
  const { readFile } = await import("node:fs/promises");
  return await readFile(path);
}

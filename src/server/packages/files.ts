/**
 * Reading and writing the files of packages.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { HarnessError } from "../../errors.ts";
import { streamOf } from "../http/transfers.ts";

/** Writes a whole chunk. */
export async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  let written = 0;
  while (written < chunk.length) {
    const { bytesWritten } = await handle.write(chunk, written, chunk.length - written);
    written += bytesWritten;
  }
}

/** SHA-256 of a file, hex. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of streamOf(await open(path, "r"))) hash.update(chunk);
  return hash.digest("hex");
}

/** Makes a rename durable. */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Runs `work`; an error of the file system becomes `storage_unavailable`, any other stays. */
export async function asStorage<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = (error as { code?: unknown })?.code;
    if (error instanceof HarnessError || typeof code !== "string" || !/^E[A-Z]+$/.test(code)) {
      throw error;
    }
    throw new HarnessError(
      "storage_unavailable",
      `Cannot ${what}: ${code}; check the disk and the permissions of the packages directory`,
      { cause: error, details: { reason: "packages_directory" } },
    );
  }
}

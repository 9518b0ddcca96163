/**
 * Durable writes.
 *
 * @module
 */
import { statSync } from "node:fs";
import { type FileHandle, mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import process from "node:process";
import { hasErrorCode } from "../error_code.ts";

export { hasErrorCode };

/**
 * Makes a directory with those above it; fine when it is there. `mkdir` with `recursive` never ends on Node where a
 * directory is there and nothing can be made in it, as below /proc.
 *
 * @returns The first directory that was made, or `undefined`.
 */
export async function makeDirectory(path: string, mode: number): Promise<string | undefined> {
  try {
    await mkdir(path, { mode });
    return path;
  } catch (error) {
    if (hasErrorCode(error, "EEXIST") && (await stat(path)).isDirectory()) return undefined;
    const parent = dirname(path);
    if (!hasErrorCode(error, "ENOENT") || parent === path) throw error;
    const first = await makeDirectory(parent, mode);
    await mkdir(path, { mode }).catch(async (error) => {
      // Another process may have been faster.
      if (!hasErrorCode(error, "EEXIST") || !(await stat(path)).isDirectory()) throw error;
    });
    return first ?? path;
  }
}

/** Writes all of `bytes` at the file's position. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
  }
}

/** Writes a new file that only its owner may read, and returns when it is on the medium. */
export async function writeSynced(path: string, text: string): Promise<void> {
  const handle = await open(path, "wx", 0o600);
  try {
    await writeAll(handle, new TextEncoder().encode(text));
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Which file a path leads to, the same as long as it is the same file; `null` when there is none.
 *
 * Asked synchronously: for a local file the kernel knows the answer, while a thread to ask in costs thirty times as
 * much, and each durable change asks twice.
 */
export function fileIdentity(path: string): string | null {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch (error) {
    if (hasErrorCode(error, "ENOENT", "ENOTDIR")) return null;
    throw error;
  }
}

/** Makes new names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return; // a directory cannot be opened there
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

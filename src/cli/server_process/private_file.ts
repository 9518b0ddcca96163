/**
 * Files with tokens: created readable by their owner only, and refused when other users may read or change them.
 *
 * @module
 */
import type { Stats } from "node:fs";
import { type FileHandle, link, lstat, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { hasErrorCode, syncDirectory, writeSynced } from "../../util/node/files.ts";

/** What is wrong with a private file or directory, or `null`. Modes are those of Unix. */
export function exposure(info: Stats, uid: number | null): string | null {
  if (info.isSymbolicLink()) return "it is a symbolic link";
  if (uid === null) return null;
  if (info.uid !== uid) return `it belongs to user ${info.uid}, not to user ${uid}`;
  // Others may not write to a directory, and may not read a file either.
  const forbidden = info.isDirectory() ? 0o022 : 0o077;
  if ((info.mode & forbidden) === 0) return null;
  return `other users may ${info.isDirectory() ? "write to" : "read or change"} it (mode 0${
    (info.mode & 0o777).toString(8)
  })`;
}

/** Why a file is not a private one, or `null`. `undefined` when there is none. */
export async function privateFileProblem(
  path: string,
  uid: number | null,
): Promise<string | null | undefined> {
  let info: Stats;
  try {
    info = await lstat(path);
  } catch (error) {
    if (hasErrorCode(error, "ENOENT")) return undefined;
    throw error;
  }
  if (!info.isFile() && !info.isSymbolicLink()) return "it is not a file";
  return exposure(info, uid);
}

/** An open private file: checked again once it is open, so that it cannot be swapped in between. */
export async function openPrivateFile(path: string, uid: number | null): Promise<FileHandle> {
  const before = await lstat(path);
  const file = await open(path, "r");
  try {
    const now = await file.stat();
    const swapped = before.isSymbolicLink() || now.ino !== before.ino || now.dev !== before.dev;
    const problem = swapped ? "it was replaced while it was opened" : exposure(now, uid);
    if (problem !== null) throw new Error(problem);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The whole text of an open file; it stays open. */
export async function textOf(file: FileHandle, maxBytes: number): Promise<string> {
  const buffer = new Uint8Array(maxBytes);
  let length = 0;
  while (length < maxBytes) {
    const { bytesRead } = await file.read(buffer, length, maxBytes - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return new TextDecoder().decode(buffer.subarray(0, length));
}

/**
 * Makes a private file that is there whole or not at all, and never replaces one.
 *
 * @returns Whether it was made; `false` when there is one of that name.
 */
export async function createPrivateFile(path: string, text: string): Promise<boolean> {
  const part = `${path}.${crypto.randomUUID()}.part`;
  try {
    await writeSynced(part, text);
    try {
      // Unlike a rename, a link fails where the name is taken.
      await link(part, path);
    } catch (error) {
      if (hasErrorCode(error, "EEXIST")) return false;
      throw error;
    }
    await syncDirectory(dirname(path));
    return true;
  } finally {
    await rm(part, { force: true }).catch(() => {});
  }
}

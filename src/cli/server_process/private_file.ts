/**
 * Files with tokens: created readable by their owner only, and refused when other users may read or change them.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { syncDirectory, writeSynced } from "../../util/node/files.ts";

/** What is wrong with a private file or directory, or `null`. Modes are those of Unix. */
export function exposure(info: Deno.FileInfo, uid: number | null): string | null {
  if (info.isSymlink) return "it is a symbolic link";
  if (uid === null) return null;
  if (info.uid !== uid) return `it belongs to user ${info.uid}, not to user ${uid}`;
  // Others may not write to a directory, and may not read a file either.
  const forbidden = info.isDirectory ? 0o022 : 0o077;
  if (((info.mode ?? 0) & forbidden) === 0) return null;
  return `other users may ${info.isDirectory ? "write to" : "read or change"} it (mode 0${
    ((info.mode ?? 0) & 0o777).toString(8)
  })`;
}

/** Why a file is not a private one, or `null`. `undefined` when there is none. */
export async function privateFileProblem(
  path: string,
  uid: number | null,
): Promise<string | null | undefined> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  if (!info.isFile && !info.isSymlink) return "it is not a file";
  return exposure(info, uid);
}

/** An open private file: checked again once it is open, so that it cannot be swapped in between. */
export async function openPrivateFile(path: string, uid: number | null): Promise<Deno.FsFile> {
  const before = await Deno.lstat(path);
  const file = await Deno.open(path, { read: true });
  try {
    const now = await file.stat();
    const swapped = before.isSymlink || now.ino !== before.ino || now.dev !== before.dev;
    const problem = swapped ? "it was replaced while it was opened" : exposure(now, uid);
    if (problem !== null) throw new Error(problem);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The whole text of an open file; it stays open. */
export async function textOf(file: Deno.FsFile, maxBytes: number): Promise<string> {
  const buffer = new Uint8Array(maxBytes);
  let length = 0;
  while (length < maxBytes) {
    const read = await file.read(buffer.subarray(length));
    if (read === null) break;
    length += read;
  }
  return new TextDecoder().decode(buffer.subarray(0, length));
}

/**
 * Makes a private file that is there whole or not at all, and never replaces one.
 *
 * @returns Whether it was made; `false` when there is one of that name.
 */
export async function createPrivateFile(path: string, text: string): Promise<boolean> {
  const part = `${path}.${randomBytes(6).toString("hex")}.part`;
  try {
    await writeSynced(part, text);
    try {
      // Unlike a rename, a link fails where the name is taken.
      await Deno.link(part, path);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return false;
      throw error;
    }
    await syncDirectory(dirname(path));
    return true;
  } finally {
    await Deno.remove(part).catch(() => {});
  }
}

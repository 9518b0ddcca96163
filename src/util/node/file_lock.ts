/**
 * The kernel's file lock (`flock`), which ends with its process. Deno has it, Node and Bun do not.
 *
 * @module
 */
import { readFile, stat } from "node:fs/promises";
import { runtimeName } from "./runtime.ts";

/** A lock that is held. */
export interface FileLock {
  /** Releases the lock. */
  release(): void;
}

/** Whether this runtime can lock files. */
export function canLockFiles(): boolean {
  return runtimeName() === "deno";
}

/**
 * Locks a file for this process alone, at once or not at all; makes an empty file of mode 0600 where there is none.
 *
 * @returns `null` when another process, or this one, holds a lock on it.
 */
export function tryLockFile(path: string): Promise<FileLock | null> {
  return tryLock(path, { read: true, write: true, create: true, mode: 0o600 }, true);
}

/** Locks a file together with other readers: `null` when one process holds it alone. */
export function tryShareFile(path: string): Promise<FileLock | null> {
  return tryLock(path, { read: true }, false);
}

async function tryLock(
  path: string,
  options: Deno.OpenOptions,
  exclusive: boolean,
): Promise<FileLock | null> {
  const file = await Deno.open(path, options);
  let held = false;
  try {
    held = await file.tryLock(exclusive);
  } finally {
    if (!held) file.close();
  }
  if (!held) return null;
  return {
    release() {
      // Unlocked by hand, because closing alone does not while a child that is just being started shares our
      // open files.
      file.unlockSync();
      file.close();
    },
  };
}

/**
 * Whether the process `pid` holds the lock of a file alone, where this runtime cannot ask by trying: from the
 * kernel's list. `null` where there is no such list.
 */
export async function isLockedBy(path: string, pid: number): Promise<boolean | null> {
  const locks = await readFile("/proc/locks", "utf8").catch(() => null);
  if (locks === null) return null;
  const { ino } = await stat(path, { bigint: true });
  return locks.split("\n").some((line) => {
    const [, kind, , access, holder, file = ""] = line.trim().split(/\s+/);
    return kind === "FLOCK" && access === "WRITE" && holder === String(pid) &&
      file.endsWith(`:${ino}`);
  });
}

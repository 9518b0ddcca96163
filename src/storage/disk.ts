/**
 * The file operations that the storage needs; injectable, so that tests can make each of them fail.
 *
 * @module
 */
import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import { fileIdentity, hasErrorCode, makeDirectory, syncDirectory } from "../util/node/files.ts";

/** An open file. */
export interface DiskFile {
  /** Writes at the end; may write less than given. Returns how many bytes it wrote. */
  write(bytes: Uint8Array): Promise<number>;
  /** Returns when everything written is on the medium. */
  sync(): Promise<void>;
  /** Cuts the file. */
  truncate(bytes: number): Promise<void>;
  /** Closes the file. */
  close(): Promise<void>;
}

/** The operations on files that the storage is built from. */
export interface Disk {
  /** Makes a directory and its parents, readable by the owner alone. One that exists is fine. */
  makeDir(path: string): Promise<void>;
  /** Names in a directory. */
  list(dir: string): Promise<string[]>;
  /** A whole file, or `null` when there is none. */
  read(path: string): Promise<Uint8Array | null>;
  /** Opens a new file for writing, mode 0600; one that exists is replaced. */
  create(path: string): Promise<DiskFile>;
  /** Opens an existing file for writing at its end. */
  append(path: string): Promise<DiskFile>;
  /** Renames, replacing what is there, atomically. */
  rename(from: string, to: string): Promise<void>;
  /** Gives a file a second name, replacing what has it; renames it where hard links are unsupported. */
  link(from: string, to: string): Promise<void>;
  /** Removes a file; fine when there is none. */
  remove(path: string): Promise<void>;
  /** Which file a path leads to: changes when it is replaced. `null` when there is none. */
  identity(path: string): Promise<string | null>;
  /** Returns when the directory's entries are on the medium. */
  syncDir(path: string): Promise<void>;
}

/** The disk of this machine, by way of `node:fs`, which Deno, Node and Bun all have. */
export function localDisk(): Disk {
  return {
    async makeDir(path): Promise<void> {
      const first = await makeDirectory(path, 0o700);
      if (first !== undefined) await syncParents(path, first);
    },
    list: (dir) => fs.readdir(dir),
    async read(path): Promise<Uint8Array | null> {
      return await fs.readFile(path).catch(nullIfMissing);
    },
    async create(path): Promise<DiskFile> {
      // A new file: an existing one would keep its mode and its owner.
      await fs.rm(path, { force: true });
      return diskFile(await fs.open(path, "wx", 0o600));
    },
    async append(path): Promise<DiskFile> {
      // Not "a": that would create a missing file, which here is a loss to be reported.
      const { size } = await fs.stat(path);
      return diskFile(await fs.open(path, "r+"), size);
    },
    rename: (from, to) => fs.rename(from, to),
    async link(from, to): Promise<void> {
      const temp = `${to}.tmp`;
      await fs.rm(temp, { force: true });
      try {
        await fs.link(from, temp);
      } catch (error) {
        if (!hasErrorCode(error, "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS")) throw error;
        await fs.rename(from, to);
        return;
      }
      await fs.rename(temp, to);
    },
    remove: (path) => fs.rm(path, { force: true }),
    identity: (path) => new Promise((resolve) => resolve(fileIdentity(path))),
    syncDir: syncDirectory,
  };
}

/** Makes new directories durable, from `first` down to `path`. */
async function syncParents(path: string, first: string): Promise<void> {
  for (let dir = dirname(path); dir.length >= dirname(first).length; dir = dirname(dir)) {
    try {
      await syncDirectory(dir);
    } catch {
      // A parent that may not be opened (narrow permissions): its file system writes it eventually.
    }
    if (dir === dirname(dir)) break;
  }
}

/**
 * Not with `O_DSYNC`, which would save the sync: Deno writes on the thread of the event loop, which would wait for the
 * disk; it syncs on another.
 */
function diskFile(handle: fs.FileHandle, size = 0): DiskFile {
  let end = size;
  return {
    async write(bytes): Promise<number> {
      const { bytesWritten } = await handle.write(bytes, 0, bytes.length, end);
      end += bytesWritten;
      return bytesWritten;
    },
    sync: () => handle.datasync(),
    async truncate(bytes): Promise<void> {
      await handle.truncate(bytes);
      end = bytes;
    },
    close: () => handle.close(),
  };
}

/** Writes all of `bytes`. */
export async function writeAll(file: DiskFile, bytes: Uint8Array): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) {
    const written = await file.write(rest);
    if (written <= 0) throw new Error("short write: the file took no more bytes");
    rest = rest.subarray(written);
  }
}

/** A file to be replaced atomically. */
export interface Replacement {
  /** Directory of both files. */
  dir: string;
  /** Name of the file to replace. */
  name: string;
  /** Name under which the present file is kept. @default {it is replaced} */
  backupName?: string | undefined;
}

/**
 * Replaces a file atomically, so that after a crash either the old or the new one is there: temp file in the
 * same directory, sync, rename, sync of the directory.
 *
 * With a backup, on a file system without hard links, there is an instant at which only the backup exists.
 *
 * @returns The bytes of the file.
 */
export async function replaceFile(
  disk: Disk,
  { dir, name, backupName }: Replacement,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<number> {
  const temp = `${dir}/${name}.tmp`;
  let bytes = 0;
  try {
    const file = await disk.create(temp);
    try {
      for await (const chunk of chunks) {
        await writeAll(file, chunk);
        bytes += chunk.length;
      }
      await file.sync();
    } finally {
      await file.close();
    }
    if (backupName !== undefined && (await disk.list(dir)).includes(name)) {
      await disk.link(`${dir}/${name}`, `${dir}/${backupName}`);
    }
    await disk.rename(temp, `${dir}/${name}`);
    await disk.syncDir(dir);
    return bytes;
  } catch (error) {
    // Best effort: leftovers of a failed attempt are overwritten by the next one.
    await disk.remove(temp).catch(() => {});
    throw error;
  }
}

function nullIfMissing(error: unknown): null {
  if (hasErrorCode(error, "ENOENT")) return null;
  throw error;
}

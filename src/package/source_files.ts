/**
 * Reads the files of the directory from which a package is built.
 *
 * Small ones on a disk of this machine are read synchronously: what is in memory already takes 20 microseconds so, and up to
 * ten times as long with promises. Where that takes long, the next ones are read at once. Elsewhere all are read at once:
 * a network that hangs must not keep the process from being ended.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { join } from "node:path";
import { isProgram, isScript, ScriptCheck } from "./contents.ts";
import type { PackageEntry } from "./archive/entry_table.ts";
import { invalid, shown } from "./errors.ts";
import { EventLoopSlice } from "../util/steps.ts";
import { BUILD_SLICE_MS, READ_AHEAD_FILES, SLOW_READ_MS, SMALL_FILE_BYTES } from "./limits.ts";
import { untilAborted } from "../util/async.ts";

const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);
/** No waiting for the writer of a FIFO, which was not there when the tree was read. */
const READ_NOW = READ | (constants.O_NONBLOCK ?? 0);
/** Why a file cannot be opened in whose place, or in that of a directory above it, something else is. */
const REPLACED: ReadonlySet<unknown> = new Set([
  "ELOOP",
  "ENOENT",
  "ENOTDIR",
  "EISDIR",
  "ENXIO",
  "ESTALE",
]);

/** A file of the tree and its bytes. */
export interface SourceFile {
  readonly entry: PackageEntry;
  readonly chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[];
}

/** The directory from which a package is built. */
export interface SourceDirectory {
  /** Its absolute path. */
  readonly root: string;
  /** Whether it is on a disk of this machine. */
  readonly local: boolean;
  /** The files that were found in it on a local disk, by path: another one in the place of one is not read. */
  readonly inodes: Map<string, Inode>;
}

/** What tells a file from all others. */
export type Inode = Pick<Stats, "dev" | "ino">;

/** Options for {@linkcode sourceFiles}. */
export interface SourceFilesOptions {
  /** Replacements for the contents of files, by path. */
  readonly overrides: ReadonlyMap<string, Uint8Array>;
  /** Aborts reading. */
  readonly signal?: AbortSignal;
}

/**
 * The digest of a file; scripts are checked, too.
 *
 * @throws {HarnessError} `package_invalid`, also when the file has another size than its entry.
 */
export async function hashEntry(
  entry: PackageEntry,
  chunks: SourceFile["chunks"],
): Promise<string> {
  const hash = createHash("sha256");
  const script = isScript(entry.path) ? new ScriptCheck() : null;
  let bytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    script?.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > entry.size) break;
  }
  if (bytes !== entry.size) throw changed(entry.path);
  script?.finish(entry.path, isProgram(entry.path));
  return hash.digest("hex");
}

/** The error for a file that was modified during the build. */
export function changed(path: string): Error {
  return invalid(
    "changed_while_reading",
    `${shown(path)} changed while the package was built; build again when nothing writes to it`,
    { path },
  );
}

/** The error, or that the file changed when `error` says that it is no longer there. */
export function readError(path: string, error: unknown): unknown {
  return REPLACED.has((error as { code?: unknown }).code) ? changed(path) : error;
}

/** `promise`, unless `signal` fires first: then it is left alone. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return signal === undefined ? promise : untilAborted(promise, signal);
}

/** The files among `entries` in their order, with their bytes or what replaces them. */
export async function* sourceFiles(
  directory: SourceDirectory,
  entries: readonly PackageEntry[],
  { overrides, signal }: SourceFilesOptions,
): AsyncGenerator<SourceFile> {
  const files = entries.filter(({ type }) => type === "file");
  const small = new SmallFiles(
    directory,
    files.filter((file) => isSmall(file) && !overrides.has(file.path)),
  );
  const slice = new EventLoopSlice(BUILD_SLICE_MS);
  for (const entry of files) {
    if (slice.isOver()) await slice.next();
    signal?.throwIfAborted();
    const override = overrides.get(entry.path);
    if (override !== undefined) yield { entry, chunks: [override] };
    else if (isSmall(entry)) yield { entry, chunks: [await small.next(signal)] };
    else yield { entry, chunks: fileBytes(directory, entry, signal) };
  }
}

function isSmall({ size }: PackageEntry): boolean {
  return size <= SMALL_FILE_BYTES;
}

/** Small files in their order, each whole. */
class SmallFiles {
  readonly #directory: SourceDirectory;
  readonly #files: readonly PackageEntry[];
  #next = 0;
  /** How many took long, one after another: a single one may have waited for a processor. */
  #slow = 0;
  /** Those that are read at once. */
  #ahead: Array<Promise<Uint8Array>> = [];

  constructor(directory: SourceDirectory, files: readonly PackageEntry[]) {
    this.#directory = directory;
    this.#files = files;
  }

  /** The bytes of the next one, or one more: then it has grown. */
  async next(signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (this.#ahead.length === 0 && !this.#directory.local) this.#readAhead();
    const ahead = this.#ahead.shift();
    if (ahead !== undefined) return await orAborted(ahead, signal);
    const file = this.#files[this.#next++] as PackageEntry;
    const began = performance.now();
    const bytes = readSmallSync(this.#directory, file);
    this.#slow = performance.now() - began > SLOW_READ_MS ? this.#slow + 1 : 0;
    if (this.#slow > 1) this.#readAhead();
    return bytes ?? await orAborted(readSmall(this.#directory, file), signal);
  }

  #readAhead(): void {
    const files = this.#files.slice(this.#next, this.#next + READ_AHEAD_FILES);
    this.#next += files.length;
    this.#ahead = files.map((file) => readSmall(this.#directory, file));
    // Awaited in their turn, unless another one fails before.
    for (const read of this.#ahead) read.catch(() => {});
  }
}

/** The bytes of a file; `null` when it is leased: whoever has the lease must give it up before. */
function readSmallSync(directory: SourceDirectory, { path, size }: PackageEntry) {
  let file: number;
  try {
    file = openSync(join(directory.root, path), READ_NOW);
  } catch (error) {
    if (isLeased(error)) return null;
    throw readError(path, error);
  }
  try {
    checkSame(directory, path, fstatSync(file));
    const buffer = new Uint8Array(size + 1);
    let filled = 0;
    for (let read = -1; read !== 0 && filled < buffer.length; filled += read) {
      read = readSync(file, buffer, filled, buffer.length - filled, null);
    }
    return buffer.subarray(0, filled);
  } finally {
    closeSync(file);
  }
}

async function readSmall(
  directory: SourceDirectory,
  { path, size }: PackageEntry,
): Promise<Uint8Array> {
  const file = await openFile(directory, path);
  try {
    const buffer = new Uint8Array(size + 1);
    let filled = 0;
    for (let read = -1; read !== 0 && filled < buffer.length; filled += read) {
      read = (await file.read(buffer, filled, buffer.length - filled)).bytesRead;
    }
    return buffer.subarray(0, filled);
  } finally {
    await file.close();
  }
}

async function* fileBytes(
  directory: SourceDirectory,
  { path }: PackageEntry,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const opening = openFile(directory, path);
  try {
    const file = await orAborted(opening, signal);
    for (;;) {
      const buffer = new Uint8Array(SMALL_FILE_BYTES);
      const { bytesRead } = await orAborted(file.read(buffer, 0, buffer.length), signal);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await orAborted(opening.then((file) => file.close()), signal);
  }
}

async function openFile(directory: SourceDirectory, path: string): Promise<FileHandle> {
  const absolute = join(directory.root, path);
  try {
    const file = await open(absolute, READ_NOW).catch(async (error) => {
      if (!isLeased(error)) throw error;
      checkSame(directory, path, await lstat(absolute)); // no FIFO, for whose writer it would wait
      return await open(absolute, READ);
    });
    try {
      checkSame(directory, path, await file.stat());
    } catch (error) {
      await file.close();
      throw error;
    }
    return file;
  } catch (error) {
    throw readError(path, error);
  }
}

/** Whether a file was not opened because somebody has a lease on it, as file servers do for their clients. */
function isLeased(error: unknown): boolean {
  return (error as { code?: unknown }).code === "EAGAIN";
}

/** Throws when another file than the one that the tree had is in its place, or none. */
function checkSame({ inodes }: SourceDirectory, path: string, now: Stats): void {
  const before = inodes.get(path);
  const same = before === undefined || (before.dev === now.dev && before.ino === now.ino);
  if (!now.isFile() || !same) throw changed(path);
}

/**
 * Reads the files of the directory from which a package is built.
 *
 * Small ones are read synchronously: what is in memory already takes 20 microseconds so, and up to ten times as long with
 * promises. Where that takes long, the next ones are read at once.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { isProgram, isScript, ScriptCheck } from "./contents.ts";
import type { PackageEntry } from "./archive/entry_table.ts";
import { invalid, shown } from "./errors.ts";
import { EventLoopSlice } from "./event_loop_slice.ts";
import { BUILD_SLICE_MS, READ_AHEAD_FILES, SLOW_READ_MS, SMALL_FILE_BYTES } from "./limits.ts";

/** No links, and no waiting for the writer of a FIFO: neither was there when the tree was read. */
const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** A file of the tree and its bytes. */
export interface SourceFile {
  readonly entry: PackageEntry;
  readonly chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[];
}

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

/** A file of the tree and its bytes. */
export interface SourceFile {
  readonly entry: PackageEntry;
  readonly chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[];
}

/** The files among `entries` in their order, with their bytes or what replaces them. */
export async function* sourceFiles(
  dir: string,
  entries: readonly PackageEntry[],
  { overrides, signal }: SourceFilesOptions,
): AsyncGenerator<SourceFile> {
  const files = entries.filter(({ type }) => type === "file");
  const small = new SmallFiles(
    dir,
    files.filter((file) => isSmall(file) && !overrides.has(file.path)),
  );
  const slice = new EventLoopSlice(BUILD_SLICE_MS);
  for (const entry of files) {
    if (slice.isOver()) await slice.next();
    signal?.throwIfAborted();
    const override = overrides.get(entry.path);
    if (override !== undefined) yield { entry, chunks: [override] };
    else if (isSmall(entry)) yield { entry, chunks: [await small.next()] };
    else yield { entry, chunks: fileBytes(dir, entry, signal) };
  }
}

function isSmall({ size }: PackageEntry): boolean {
  return size <= SMALL_FILE_BYTES;
}

/** Small files in their order, each whole. */
class SmallFiles {
  readonly #dir: string;
  readonly #files: readonly PackageEntry[];
  #next = 0;
  /** How many took long, one after another: a single one may have waited for a processor. */
  #slow = 0;
  /** Those that are read at once. */
  #ahead: Array<Promise<Uint8Array>> = [];

  constructor(dir: string, files: readonly PackageEntry[]) {
    this.#dir = dir;
    this.#files = files;
  }

  /** The bytes of the next one, or one more: then it has grown. */
  async next(): Promise<Uint8Array> {
    const ahead = this.#ahead.shift();
    if (ahead !== undefined) return await ahead;
    const began = performance.now();
    const bytes = readSmall(this.#dir, this.#files[this.#next++] as PackageEntry);
    this.#slow = performance.now() - began > SLOW_READ_MS ? this.#slow + 1 : 0;
    if (this.#slow > 1) this.#readAhead();
    return bytes;
  }

  #readAhead(): void {
    const files = this.#files.slice(this.#next, this.#next + READ_AHEAD_FILES);
    this.#next += files.length;
    this.#ahead = files.map((file) => readSmallSlowly(this.#dir, file));
    // Awaited in their turn, unless another one fails before.
    for (const read of this.#ahead) read.catch(() => {});
  }
}

function readSmall(dir: string, { path, size }: PackageEntry): Uint8Array {
  const file = openFileSync(dir, path);
  try {
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

async function readSmallSlowly(dir: string, { path, size }: PackageEntry): Promise<Uint8Array> {
  const file = await openFile(dir, path);
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
  dir: string,
  { path }: PackageEntry,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const file = await openFile(dir, path);
  try {
    for (;;) {
      signal?.throwIfAborted();
      const buffer = new Uint8Array(SMALL_FILE_BYTES);
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function openFileSync(dir: string, path: string): number {
  try {
    return openSync(join(dir, path), READ);
  } catch (error) {
    throw isLink(error) ? changed(path) : error;
  }
}

async function openFile(dir: string, path: string): Promise<FileHandle> {
  return await open(join(dir, path), READ).catch((error) => {
    throw isLink(error) ? changed(path) : error;
  });
}

/** Whether a file was not opened because a link has taken its place. */
function isLink(error: unknown): boolean {
  return (error as { code?: unknown }).code === "ELOOP";
}

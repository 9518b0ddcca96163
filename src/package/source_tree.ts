/**
 * Reads the directory from which a package is built.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { lstat, open, readdir, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { isProgram, isScript, ScriptCheck, SUMS_PATH } from "./contents.ts";
import { entryPath, type EntryTable, type PackageEntry } from "./archive/entry_table.ts";
import { invalid, shown } from "./errors.ts";
import { READ_AHEAD_BYTES, READ_AHEAD_FILES, SMALL_FILE_BYTES } from "./limits.ts";
import { compareBytes } from "./sums.ts";

/** Names that are never packed. */
const NEVER_PACKED: ReadonlySet<string> = new Set([".git", ".DS_Store"]);

/** Options for {@linkcode readSourceTree}. */
export interface SourceTreeOptions {
  /** Whether the file or directory at this absolute path is left out. */
  isExcluded: (absolutePath: string) => boolean;
  /** Replacements for the contents of files, by path. */
  overrides: ReadonlyMap<string, Uint8Array>;
  /** Aborts reading. */
  signal?: AbortSignal;
}

/**
 * Fills `table` with the entries below `dir`, without digests.
 *
 * @returns The paths that were left out.
 * @throws {HarnessError} `package_invalid` for an entry that a package cannot have.
 */
export async function readSourceTree(
  dir: string,
  table: EntryTable,
  options: SourceTreeOptions,
): Promise<string[]> {
  const skipped: string[] = [];
  const found: PackageEntry[] = [];
  const directories = [""];
  for (let at = directories.pop(); at !== undefined; at = directories.pop()) {
    options.signal?.throwIfAborted();
    for (const name of await readNames(join(dir, at))) {
      const path = at === "" ? name : `${at}/${name}`;
      if (path === SUMS_PATH) continue;
      if (NEVER_PACKED.has(name) || options.isExcluded(join(dir, path))) {
        skipped.push(path);
        continue;
      }
      const entry = await toEntry(dir, path, options.overrides.get(path));
      found.push(entry);
      if (entry.type === "directory") directories.push(path);
    }
  }
  for (const entry of found.toSorted((a, b) => compareBytes(packedName(a), packedName(b)))) {
    table.add(entry);
  }
  table.finish();
  for (const { path, type } of found) {
    if (type === "symlink" && !(await exists(join(dir, path)))) {
      throw invalid("file_missing", `the link ${shown(path)} is broken`, { path });
    }
  }
  return skipped.sort(compareBytes);
}

/** The entry's name inside the tar file: directories end with `/`. */
export function packedName(entry: PackageEntry): string {
  return entry.type === "directory" ? `${entry.path}/` : entry.path;
}

/** Names in a directory; a name that is not UTF-8 is refused. */
async function readNames(dir: string): Promise<string[]> {
  const names = await readdir(dir, { encoding: "buffer" });
  return names.map((bytes) => {
    const name = Buffer.from(bytes).toString("utf8");
    if (!Buffer.from(name).equals(bytes)) {
      throw invalid("bad_path", `${shown(join(dir, name))} is not valid UTF-8`);
    }
    return name;
  });
}

async function toEntry(
  dir: string,
  rawPath: string,
  override: Uint8Array | undefined,
): Promise<PackageEntry> {
  const absolute = join(dir, rawPath);
  const found = await lstat(absolute);
  const path = entryPath(rawPath, found.isDirectory());
  if (found.isDirectory()) {
    return { path, type: "directory", mode: 0o755, size: 0, target: null, sha256: null };
  }
  if (found.isSymbolicLink()) {
    const target = await readlink(absolute);
    return { path, type: "symlink", mode: 0o777, size: 0, target, sha256: null };
  }
  if (!found.isFile()) throw specialFile(path, found);
  const executable = (found.mode & 0o100) !== 0 || isScript(path);
  const size = override?.byteLength ?? found.size;
  return {
    path,
    type: "file",
    mode: executable ? 0o755 : 0o644,
    size,
    target: null,
    sha256: null,
  };
}

function specialFile(path: string, found: Stats): Error {
  if (found.isFIFO()) return invalid("fifo", `${shown(path)} is a FIFO`, { path });
  const device = found.isBlockDevice() || found.isCharacterDevice();
  return invalid(
    device ? "device" : "unsupported_entry",
    `${shown(path)} is ${device ? "a device" : "a socket"}`,
    { path },
  );
}

/** Whether the target of a link exists. */
async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
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

/**
 * The files among `entries` in their order, with their bytes or what replaces them. Small ones are read ahead, many at
 * once.
 */
export async function* sourceFiles(
  dir: string,
  entries: readonly PackageEntry[],
  options: Pick<SourceTreeOptions, "overrides" | "signal">,
): AsyncGenerator<SourceFile> {
  const files = entries.filter(({ type }) => type === "file");
  const ahead: Array<Promise<Uint8Array> | null> = [];
  let bytes = 0;
  let next = 0;
  const readAhead = () => {
    for (; ahead.length < READ_AHEAD_FILES && bytes < READ_AHEAD_BYTES; next++) {
      const entry = files[next];
      if (entry === undefined) return;
      const small = entry.size <= SMALL_FILE_BYTES || options.overrides.has(entry.path);
      if (small) bytes += entry.size;
      const read = small ? smallFile(dir, entry, options) : null;
      read?.catch(() => {}); // awaited in its turn, unless another fails before
      ahead.push(read);
    }
  };
  for (const entry of files) {
    options.signal?.throwIfAborted();
    readAhead();
    const read = await ahead.shift();
    if (read) bytes -= entry.size;
    yield { entry, chunks: read ? [read] : fileBytes(dir, entry, options) };
  }
}

/** A small file's bytes, or one more: then it has grown. */
async function smallFile(
  dir: string,
  { path, size }: PackageEntry,
  { overrides }: Pick<SourceTreeOptions, "overrides">,
): Promise<Uint8Array> {
  const override = overrides.get(path);
  if (override !== undefined) return override;
  const file = await open(join(dir, path), "r");
  try {
    const buffer = new Uint8Array(size + 1);
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await file.read(buffer, filled, buffer.length - filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  } finally {
    await file.close();
  }
}

/** A file's bytes. */
async function* fileBytes(
  dir: string,
  entry: PackageEntry,
  { signal }: Pick<SourceTreeOptions, "signal">,
): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(join(dir, entry.path), { highWaterMark: SMALL_FILE_BYTES });
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      signal?.throwIfAborted();
      yield chunk;
    }
  } finally {
    stream.destroy();
  }
}

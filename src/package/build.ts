/**
 * Builds a package from a directory, reproducibly: entries are sorted, owned by uid and gid 0, with one fixed time and the
 * modes 0755 or 0644.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createTarPacker, type TarPackController } from "modern-tar";
import { HarnessError, messageWithPath } from "../errors.ts";
import { MAX_MANIFEST_BYTES } from "./limits.ts";
import { MAX_PACKAGE_BYTES } from "../model/limits.ts";
import { checkContents, decodeManifest, MANIFEST_PATH, SUMS_PATH } from "./contents.ts";
import { DeflatePool } from "./deflate/deflate_pool.ts";
import { gzipBlocks } from "./deflate/gzip_blocks.ts";
import { EntryTable } from "./archive/entry_table.ts";
import { invalid } from "./errors.ts";
import { isOnLocalDisk } from "./local_disk.ts";
import type { Manifest } from "./manifest/manifest.ts";
import { packageFileName, sanitizeName, SEMVER } from "./names.ts";
import { parseManifest } from "./manifest/parse.ts";
import {
  changed,
  hashEntry,
  orAborted,
  type SourceDirectory,
  type SourceFile,
  sourceFiles,
} from "./source_files.ts";
import { packedName, readSourceTree } from "./source_tree.ts";
import { compareBytes, formatSums } from "./sums.ts";
import { parseYaml } from "./manifest/yaml_source.ts";
import { digestFile, sha256 } from "../util/node/digest.ts";
import { makeDirectory } from "../util/node/files.ts";

/** The time of every entry: 1980-01-01, which every tool can store. */
const FIXED_TIME = new Date(315_532_800_000);

/** Progress of a build. */
export interface BuildProgress {
  /** `hash` reads the files once for `SHA256SUMS`, `pack` once more for the archive. */
  phase: "hash" | "pack";
  /** File that was just finished. */
  path: string;
  /** Bytes of finished files in this phase. */
  bytes: number;
  /** Bytes of all files. */
  totalBytes: number;
}

/** Options for {@linkcode buildPackage}. */
export interface BuildPackageOptions {
  /** Directory for the package; created when missing. @default {"."} */
  outDir?: string;
  /** Replaces the version in the packed manifest. */
  version?: string;
  /** Replace a package of the same name and version that has other bytes. @default {false} */
  force?: boolean;
  /** Called after each file of each phase. */
  onProgress?: (progress: BuildProgress) => void;
  /** Aborts the build; nothing is left behind. */
  signal?: AbortSignal;
}

/** A built package. */
export interface BuiltPackage {
  /** Its file. */
  path: string;
  /** SHA-256 of the file, hex. */
  sha256: string;
  /** Bytes of the file. */
  size: number;
  /** Its manifest. */
  manifest: Manifest;
  /** Files, directories and links in it. */
  entries: number;
  /** Paths of the directory that were left out. */
  skipped: string[];
  /** Whether the file existed already with the same bytes. */
  unchanged: boolean;
}

/**
 * Builds `<outDir>/<name>-<version>.tar.gz` from the directory `dir`.
 *
 * @throws {HarnessError} `not_found` without such a directory, `package_invalid` when the tree is no valid
 * package, `already_exists` when that version exists with other bytes, `storage_unavailable` when a file cannot be read
 * or written, `unavailable` when the runtime has no WebAssembly.
 *
 * Up to 50 ms pass between turns of the event loop.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * const outDir = await Deno.makeTempDir();
 * const built = await buildPackage("examples/hello-service", { outDir });
 * assert.equal(built.path, `${outDir}/hello-service-1.0.0.tar.gz`);
 * await Deno.remove(outDir, { recursive: true });
 * ```
 */
export async function buildPackage(
  dir: string,
  options: BuildPackageOptions = {},
): Promise<BuiltPackage> {
  options.signal?.throwIfAborted();
  try {
    return await build(dir, options);
  } catch (error) {
    // A full disk or missing permission: Node's message names the call and the path.
    const { code } = error as { code?: unknown };
    if (error instanceof HarnessError || typeof code !== "string") throw error;
    throw new HarnessError(
      "storage_unavailable",
      `Cannot build a package of ${dir} in ${options.outDir ?? "."}: ${messageWithPath(error)}`,
      { cause: error },
    );
  }
}

async function build(dir: string, options: BuildPackageOptions): Promise<BuiltPackage> {
  const root = resolve(dir);
  const outDir = resolve(options.outDir ?? ".");
  const manifestText = await orAborted(readManifest(dir, options.version), options.signal);
  const manifest = parseManifest(manifestText, join(dir, MANIFEST_PATH));
  const path = join(outDir, packageFileName(manifest.name, manifest.version));

  const overrides = new Map<string, Uint8Array>([[MANIFEST_PATH, Buffer.from(manifestText)]]);
  const table = new EntryTable();
  const source = { ...options, overrides, isExcluded: outputs(root, outDir, manifest.name) };
  const directory = {
    root,
    local: await orAborted(isOnLocalDisk(root), options.signal),
    inodes: new Map(),
  };
  const skipped = await readSourceTree(directory, table, source);
  checkContents(table, manifest);
  makeHealthScriptExecutable(table, manifest);
  await using pool = new DeflatePool({ about: table.bytes });
  await hashFiles(directory, table, source);
  addSums(table, overrides);

  await makeDirectory(outDir, 0o777);
  const part = join(outDir, `.${basename(path)}.${randomBytes(6).toString("hex")}.part`);
  try {
    const { sha256, size } = await writeArchive(directory, table, { ...source, pool, file: part });
    const unchanged = await publish(part, path, { sha256, size, force: options.force ?? false });
    const entries = table.entries.length;
    return { path, sha256, size, manifest, entries, skipped, unchanged };
  } finally {
    await rm(part, { force: true });
  }
}

interface BuildSource {
  overrides: Map<string, Uint8Array>;
  onProgress?: (progress: BuildProgress) => void;
  signal?: AbortSignal;
}

/** The manifest's text; with `version`, only that value is replaced. */
async function readManifest(dir: string, version: string | undefined): Promise<string> {
  const root = resolve(dir);
  const found = await stat(root).catch(() => null);
  if (!found?.isDirectory()) {
    throw new HarnessError("not_found", `Cannot build a package: there is no directory ${root}`);
  }
  const file = join(root, MANIFEST_PATH);
  const size = (await stat(file).catch(() => null))?.size;
  if (size === undefined) {
    throw invalid("manifest_missing", `there is no ${MANIFEST_PATH} in ${root}`);
  }
  if (size > MAX_MANIFEST_BYTES) {
    throw invalid("manifest", `${MANIFEST_PATH} has more than ${MAX_MANIFEST_BYTES} bytes`);
  }
  const text = decodeManifest(await readFile(file));
  if (version === undefined) return text;
  const range = parseYaml(text, { fileName: join(dir, MANIFEST_PATH) }).range(["version"]);
  if (range === null) return text;
  // An invalid version is quoted, so that the parser can report it.
  const written = SEMVER.test(version) ? version : JSON.stringify(version);
  return `${text.slice(0, range[0])}${written}${text.slice(range[1])}`;
}

/** Excludes packages that earlier builds wrote into the tree itself. */
function outputs(root: string, outDir: string, name: string): (path: string) => boolean {
  if (outDir === root) {
    const start = `${sanitizeName(name)}-`;
    return (path) => {
      const file = basename(path).replace(/^\./, "");
      return dirname(path) === root && file.startsWith(start) &&
        /\.tar\.gz(?:\.minisig|\.[0-9a-f]+\.part)?$/.test(file);
    };
  }
  return (path) => outDir.startsWith(root + sep) && path === outDir;
}

function makeHealthScriptExecutable(table: EntryTable, manifest: Manifest): void {
  if (manifest.health?.probe.type !== "script") return;
  const script = table.resolve(manifest.health.probe.script);
  if (script !== undefined) script.mode = 0o755;
}

async function hashFiles(
  directory: SourceDirectory,
  table: EntryTable,
  source: BuildSource,
): Promise<void> {
  let bytes = 0;
  for await (const { entry, chunks } of sourceFiles(directory, table.entries, source)) {
    entry.sha256 = await hashEntry(entry, chunks);
    bytes += entry.size;
    source.onProgress?.({ phase: "hash", path: entry.path, bytes, totalBytes: table.bytes });
  }
}

function addSums(table: EntryTable, overrides: Map<string, Uint8Array>): void {
  const text = Buffer.from(formatSums(table));
  overrides.set(SUMS_PATH, text);
  table.add({
    path: SUMS_PATH,
    type: "file",
    mode: 0o644,
    size: text.byteLength,
    target: null,
    sha256: sha256(text),
  });
}

async function writeArchive(
  directory: SourceDirectory,
  table: EntryTable,
  source: BuildSource & { pool: DeflatePool; file: string },
): Promise<{ sha256: string; size: number }> {
  const { readable, controller } = createTarPacker();
  const digest = createHash("sha256");
  let size = 0;
  const finish = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of gzipBlocks(chunks, source.pool)) {
      size += chunk.byteLength;
      if (size > MAX_PACKAGE_BYTES) {
        throw invalid("too_large", `it would have more than ${MAX_PACKAGE_BYTES} bytes`);
      }
      digest.update(chunk);
      yield chunk;
    }
  };
  const written = pipeline(
    Readable.from(readable),
    finish,
    createWriteStream(source.file, { flags: "wx", mode: 0o644 }),
    source.signal === undefined ? {} : { signal: source.signal },
  );
  const packed = packEntries(directory, table, { ...source, controller }).catch((error) => {
    controller.error(error);
    throw error;
  });
  // A failure of one ends the other; both have ended before the file is removed.
  const [packing, writing] = (await Promise.allSettled([packed, written]))
    .map((result) => result.status === "rejected" ? result.reason : undefined);
  source.signal?.throwIfAborted();
  // The one that was ended by the other reports only an abort or a closed stream.
  const ended = (error: unknown) => error === undefined || (error as Error).name === "AbortError";
  const cause = packing instanceof HarnessError || ended(writing) ? packing ?? writing : writing;
  if (cause !== undefined) throw cause;
  return { sha256: digest.digest("hex"), size };
}

async function packEntries(
  directory: SourceDirectory,
  table: EntryTable,
  source: BuildSource & { controller: TarPackController },
): Promise<void> {
  let bytes = 0;
  const entries = table.entries.toSorted((a, b) => compareBytes(packedName(a), packedName(b)));
  const files = sourceFiles(directory, entries, source);
  for (const entry of entries) {
    source.signal?.throwIfAborted();
    const sink = source.controller.add({
      name: packedName(entry),
      type: entry.type,
      size: entry.size,
      mode: entry.mode,
      mtime: FIXED_TIME,
      uid: 0,
      gid: 0,
      ...(entry.target === null ? {} : { linkname: entry.target }),
    });
    const writer = sink.getWriter();
    if (entry.type === "file") await writeFile((await files.next()).value, writer);
    await writer.close();
    bytes += entry.size;
    if (entry.type === "file") {
      source.onProgress?.({ phase: "pack", path: entry.path, bytes, totalBytes: table.bytes });
    }
  }
  source.controller.finalize();
}

/** Writes a file's bytes, which must equal those that were hashed. */
async function writeFile(
  { entry, chunks }: SourceFile,
  writer: WritableStreamDefaultWriter<Uint8Array>,
): Promise<void> {
  const hash = createHash("sha256");
  let left = entry.size;
  for await (const chunk of chunks) {
    left -= chunk.byteLength;
    if (left < 0) break;
    hash.update(chunk);
    await writer.write(chunk);
  }
  if (left !== 0 || hash.digest("hex") !== entry.sha256) throw changed(entry.path);
}

/** Renames the finished file to its name; an existing version with other bytes is kept. */
async function publish(
  part: string,
  path: string,
  made: { sha256: string; size: number; force: boolean },
): Promise<boolean> {
  const there = await stat(path).catch(() => null);
  if (
    there !== null && there.size === made.size && (await digestFile(path)).sha256 === made.sha256
  ) {
    return true;
  }
  if (there !== null && !made.force) {
    throw new HarnessError(
      "already_exists",
      `Cannot write ${path}: this version exists with other bytes; give the new one ` +
        `another version, or force it`,
      { details: { reason: "package_differs", path } },
    );
  }
  const file = await open(part, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
  return false;
}

/**
 * Reads and verifies a package in one pass.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash, type Hash } from "node:crypto";
import { basename } from "node:path";
import { MAX_MANIFEST_BYTES, MAX_SUMS_BYTES } from "./limits.ts";
import {
  checkContents,
  decodeManifest,
  isProgram,
  isScript,
  MANIFEST_PATH,
  ScriptCheck,
  SUMS_PATH,
} from "./contents.ts";
import { entryPath, EntryTable, type PackageEntry } from "./archive/entry_table.ts";
import { gunzipChunks, gunzipFile } from "./archive/gunzip.ts";
import { invalid, shown } from "./errors.ts";
import type { Manifest } from "./manifest/manifest.ts";
import { packageFileName } from "./names.ts";
import { prefixesOf } from "./prefix_digests.ts";
import { parseManifest } from "./manifest/parse.ts";
import { checkSums } from "./sums.ts";
import { readTar, type TarEvent } from "./archive/tar_reader.ts";

/** The content of a verified package. */
export interface PackageSummary {
  /** The file that was read. */
  path: string;
  /** SHA-256 of the file, hex. */
  sha256: string;
  /** Bytes of the file. */
  size: number;
  /**
   * By them its bytes are recognised when they are sent, see `DeployPackage.inspected`; `undefined` where hosts have to
   * check it themselves: with 8 GiB or more.
   */
  prefixes: Uint8Array | undefined;
  /** Bytes of all files in it. */
  unpackedBytes: number;
  /** Its manifest. */
  manifest: Manifest;
  /** Its entries, in the order in which they are stored. */
  entries: PackageEntry[];
}

/** Options for {@linkcode inspectPackage}. */
export interface InspectPackageOptions {
  /** Aborts reading. */
  signal?: AbortSignal;
  /** Called with the number of bytes of the file that were read, for each chunk. */
  onRead?: (bytes: number) => void;
}

/** Receives a package's files while it is read, before the verdict on the whole. */
export interface PackageSink {
  /** Receives the next entry, checked as far as it can be alone. */
  entry(entry: PackageEntry): Promise<void>;
  /** Receives bytes of the last entry; valid until the promise is settled. */
  data(chunk: Uint8Array): Promise<void>;
  /** Ends the last entry. */
  end(): Promise<void>;
}

/**
 * Reads and verifies the package at `path`.
 *
 * @throws {HarnessError} `package_invalid` with a stable `details.reason`; `not_found` without the file.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * import { buildPackage } from "./build.ts";
 * const outDir = await Deno.makeTempDir();
 * const built = await buildPackage("examples/hello-service", { outDir });
 * const summary = await inspectPackage(built.path);
 * assert.equal(summary.manifest.name, "hello-service");
 * assert.equal(summary.sha256, built.sha256);
 * await Deno.remove(outDir, { recursive: true });
 * ```
 */
export async function inspectPackage(
  path: string,
  options: InspectPackageOptions = {},
): Promise<PackageSummary> {
  return await scanPackage(path, null, options);
}

/**
 * {@linkcode inspectPackage}, which also checks that the file name matches the manifest, so that no version is passed off
 * as another.
 *
 * @param fileName The file name, when `path` is a temporary one.
 * @throws {HarnessError} As {@linkcode inspectPackage}; `package_invalid` with the reason `bad_name`.
 */
export async function inspectNamed(
  path: string,
  options: InspectPackageOptions = {},
  fileName: string = basename(path),
): Promise<PackageSummary> {
  const summary = await inspectPackage(path, options);
  const { manifest } = summary;
  const problem = fileNameProblem(fileName, manifest);
  if (problem === null) return summary;
  const { name, version } = manifest;
  throw invalid("bad_name", problem, { name, version, file: fileName });
}

/** Why a file name does not match the manifest, or `null`. */
export function fileNameProblem(
  fileName: string,
  { name, version }: Pick<Manifest, "name" | "version">,
): string | null {
  const right = packageFileName(name, version);
  if (fileName === right) return null;
  return `its file is called ${shown(fileName)}, and its manifest says ${name} ${version}: ` +
    `that is ${right}`;
}

/** The content of a package that was verified while its bytes came in. */
export type StreamedPackage = Pick<
  PackageSummary,
  "manifest" | "entries" | "unpackedBytes" | "size"
>;

/**
 * Reads and verifies a package whose bytes come in chunks. Bytes after the end of the gzip data may be left unread:
 * `size` counts those that belong to it, and the caller compares it with the number of all.
 *
 * @throws {HarnessError} `package_invalid`, as soon as it is known.
 */
export async function inspectChunks(
  chunks: AsyncIterable<Uint8Array>,
  options: InspectPackageOptions = {},
): Promise<StreamedPackage> {
  const { packed, ...content } = await scan(gunzipChunks(chunks, options), null);
  return { ...content, size: packed };
}

/** Reads and verifies a package; `sink` receives its files before the verdict. */
export async function scanPackage(
  path: string,
  sink: PackageSink | null,
  options: InspectPackageOptions = {},
): Promise<PackageSummary> {
  options.signal?.throwIfAborted();
  const { packed, ...content } = await scan(gunzipFile(path, options), sink);
  return { path, ...packed, prefixes: prefixesOf(packed, content.unpackedBytes), ...content };
}

/** Verifies unpacked bytes, and passes on what their generator returns. */
async function scan<T>(
  unpacked: AsyncGenerator<Uint8Array, T>,
  sink: PackageSink | null,
): Promise<{ packed: T; manifest: Manifest; entries: PackageEntry[]; unpackedBytes: number }> {
  let packed: { value: T } | undefined;
  const unpack = async function* () {
    packed = { value: yield* unpacked };
  };
  const scan = new Scan();
  for await (const event of readTar(unpack())) {
    scan.take(event);
    if (sink === null) continue;
    if (event.kind === "data") await sink.data(event.chunk);
    else if (event.kind === "end") await sink.end();
    else if (scan.current !== null) await sink.entry(scan.current);
  }
  const { manifest, table } = scan.finish();
  if (packed === undefined) throw invalid("truncated", "the gzip file ends too early");
  return { packed: packed.value, manifest, entries: table.entries, unpackedBytes: table.bytes };
}

/** Checks entries as they are read and keeps what is needed at the end. */
class Scan {
  readonly #table = new EntryTable();
  readonly #kept = new Map<string, Uint8Array[]>();
  #hash: Hash | null = null;
  #script: ScriptCheck | null = null;
  /** The entry that is being read; `null` for the package's root directory. */
  current: PackageEntry | null = null;

  take(event: TarEvent): void {
    if (event.kind === "entry") this.#begin(event);
    else if (event.kind === "data") this.#data(event.chunk);
    else this.#end();
  }

  finish(): { manifest: Manifest; table: EntryTable } {
    const table = this.#table;
    table.finish();
    const manifest = parseManifest(
      decodeManifest(this.#manifest()),
      MANIFEST_PATH,
    );
    checkContents(table, manifest);
    checkSums(table, new TextDecoder().decode(this.#text(SUMS_PATH, "sums_missing")));
    return { manifest, table };
  }

  #begin(event: TarEvent & { kind: "entry" }): void {
    const { type, target, size, mode } = event;
    const path = entryPath(event.name, type === "directory");
    this.current = path === "" ? null : { path, type, mode, size, target, sha256: null };
    if (this.current === null) return;
    this.#table.add(this.current);
    if (type !== "file") return;
    const most = { [MANIFEST_PATH]: MAX_MANIFEST_BYTES, [SUMS_PATH]: MAX_SUMS_BYTES }[path];
    if (most !== undefined) {
      if (size > most) throw invalid("too_large", `${path} has more than ${most} bytes`, { path });
      this.#kept.set(path, []);
    }
    this.#hash = createHash("sha256");
    this.#script = isScript(path) ? new ScriptCheck() : null;
  }

  #data(chunk: Uint8Array): void {
    this.#hash?.update(chunk);
    this.#script?.push(chunk);
    // The reader reuses its buffers: copy what is kept.
    this.#kept.get(this.current?.path ?? "")?.push(chunk.slice());
  }

  #end(): void {
    if (this.current === null || this.#hash === null) return;
    this.current.sha256 = this.#hash.digest("hex");
    this.#script?.finish(this.current.path, isProgram(this.current.path));
    this.#hash = null;
    this.#script = null;
  }

  #manifest(): Uint8Array {
    const top = topDirectory(this.#table.entries);
    if (top === null) return this.#text(MANIFEST_PATH, "manifest_missing");
    throw invalid(
      "manifest_missing",
      `everything in it is below ${
        shown(top)
      }: pack what is in that directory, not the directory ` +
        "itself, or use package build",
      { path: MANIFEST_PATH },
    );
  }

  #text(path: string, missing: "manifest_missing" | "sums_missing"): Uint8Array {
    const chunks = this.#kept.get(path);
    if (chunks === undefined) {
      throw invalid(
        missing,
        `it has no ${path}: make it with package build` +
          (missing === "sums_missing" ? ", which lists every file's SHA-256 there" : ""),
        { path },
      );
    }
    return Buffer.concat(chunks);
  }
}

/** The directory that the whole package is in by mistake, its manifest too; `null` where there is none. */
function topDirectory(entries: readonly PackageEntry[]): string | null {
  const tops = new Set(entries.map(({ path }) => path.replace(/\/.*/s, "")));
  const [top = "", ...others] = [...tops].filter((name) => !isFromMac(name));
  const isTop = others.length === 0 &&
    entries.some(({ path }) => path === `${top}/${MANIFEST_PATH}`);
  return isTop ? top : null;
}

/** Whether macOS put something of this name beside what was packed. */
function isFromMac(name: string): boolean {
  return name.startsWith("._") || name === "__MACOSX";
}

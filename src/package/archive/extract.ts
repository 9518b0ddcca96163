/**
 * Unpacks a package into a new directory, all or nothing.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { chmod, type FileHandle, lstat, mkdir, open, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { HarnessError } from "../../errors.ts";
import { isScript } from "../contents.ts";
import type { PackageEntry } from "./entry_table.ts";
import {
  type InspectPackageOptions,
  type PackageSink,
  type PackageSummary,
  scanPackage,
} from "../read.ts";

/** Options for {@linkcode extractPackage}. */
export interface ExtractPackageOptions extends InspectPackageOptions {
  /** Called after each entry with the totals so far. */
  onProgress?: (progress: { entries: number; bytes: number }) => void;
}

/**
 * Verifies the package at `path` and unpacks it into the new directory `dir`.
 *
 * Files are written into a private directory beside `dir`; links are created last, when nothing more is written; `dir`
 * appears by one rename, after the last check.
 *
 * @throws {HarnessError} `package_invalid` as {@linkcode inspectPackage}; `already_exists` when `dir` exists.
 */
export async function extractPackage(
  path: string,
  dir: string,
  options: ExtractPackageOptions = {},
): Promise<PackageSummary> {
  const target = resolve(dir);
  await refuseExisting(target);
  const random = randomBytes(6).toString("hex");
  const temp = join(dirname(target), `.${basename(target)}.${random}.part`);
  await mkdir(dirname(target), { recursive: true });
  await mkdir(temp, { mode: 0o700 });
  const sink = new DiskSink(temp, options.onProgress);
  try {
    const summary = await scanPackage(path, sink, options);
    await sink.finish(summary);
    await refuseExisting(target);
    await rename(temp, target);
    return summary;
  } finally {
    await sink.close();
    await rm(temp, { recursive: true, force: true });
  }
}

async function refuseExisting(target: string): Promise<void> {
  const found = await lstat(target).catch(() => null);
  if (found === null) return;
  throw new HarnessError(
    "already_exists",
    `Cannot unpack into ${target}: it exists; name a new directory`,
    { details: { path: target } },
  );
}

class DiskSink implements PackageSink {
  readonly #dir: string;
  readonly #onProgress: ExtractPackageOptions["onProgress"];
  #file: FileHandle | null = null;
  #mode = 0o644;
  #entries = 0;
  #bytes = 0;

  constructor(dir: string, onProgress: ExtractPackageOptions["onProgress"]) {
    this.#dir = dir;
    this.#onProgress = onProgress;
  }

  async entry(entry: PackageEntry): Promise<void> {
    const path = join(this.#dir, entry.path);
    if (entry.type === "directory") await mkdir(path, { recursive: true, mode: 0o755 });
    if (entry.type !== "file") return;
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    const executable = (entry.mode & 0o100) !== 0 || isScript(entry.path);
    this.#mode = executable ? 0o755 : 0o644;
    this.#file = await open(path, "wx", 0o600);
  }

  async data(chunk: Uint8Array): Promise<void> {
    await this.#file?.writeFile(chunk);
    this.#bytes += chunk.byteLength;
  }

  async end(): Promise<void> {
    await this.#file?.chmod(this.#mode);
    await this.close();
    this.#entries++;
    this.#onProgress?.({ entries: this.#entries, bytes: this.#bytes });
  }

  /** Creates the links and sets the mode of every directory, now that nothing is written through them. */
  async finish(summary: PackageSummary): Promise<void> {
    for (const { path, type, target } of summary.entries) {
      if (type !== "symlink") continue;
      await mkdir(dirname(join(this.#dir, path)), { recursive: true, mode: 0o755 });
      await symlink(target ?? "", join(this.#dir, path));
    }
    const directories = summary.entries.flatMap(({ path, type }) => {
      const parts = path.split("/");
      const own = type === "directory" ? parts.length : parts.length - 1;
      return Array.from({ length: own }, (_, i) => parts.slice(0, i + 1).join("/"));
    });
    for (const directory of new Set(["", ...directories])) {
      await chmod(join(this.#dir, directory), 0o755);
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }
}

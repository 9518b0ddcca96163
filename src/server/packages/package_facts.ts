/**
 * What is known of the files in a packages directory: read once, and kept while they stay the same.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { HarnessError } from "../../errors.ts";
import type { Manifest } from "../../package/manifest/manifest.ts";
import { digestFile } from "../../util/node/digest.ts";
import { asStorage, matchesPackage } from "./package_files.ts";

/** Reads a file and throws for one that is no package; `null` accepts any bytes. */
export type Inspect =
  | ((path: string) => Promise<{ name: string; version: string }>)
  | null
  | undefined;

/** The known facts of a file. */
export interface FileFacts {
  /** Bytes of the file. */
  readonly size: number;
  /** SHA-256 of the file, hex. */
  readonly sha256: string;
  /** See `PackageSummary.prefixes`; there with the manifest. */
  readonly prefixes?: Uint8Array | undefined;
  /** The manifest, or `null` when it was not read by us. */
  readonly manifest: Manifest | null;
  /** What is wrong with the file, or `null`. */
  readonly problem: HarnessError | null;
}

type Examined = Omit<FileFacts, "size">;

/** Facts by file name. */
export class PackageFacts {
  readonly #dir: string;
  readonly #inspect: Inspect;
  readonly #known = new Map<string, Examined & { identity: string }>();
  readonly #examining = new Map<string, Promise<Examined>>();

  /** Reads nothing yet. */
  constructor(dir: string, inspect: Inspect) {
    this.#dir = dir;
    this.#inspect = inspect;
  }

  /** The facts of a file, which is read if it is not known; `null` when there is none. */
  async of(file: string): Promise<FileFacts | null> {
    const now = await this.#identify(file);
    if (now === null) return null;
    const { size, identity } = now;
    let known = this.#known.get(file);
    if (known === undefined || known.identity !== identity) {
      const seen = await asStorage(`read ${file}`, () => this.#once(file, identity));
      known = { ...seen, identity };
      this.#known.set(file, known);
    }
    return { ...known, size };
  }

  /** Records what was found out while the file was received: it is not read again. */
  async remember(
    file: string,
    facts: Omit<FileFacts, "size" | "problem">,
  ): Promise<void> {
    const now = await this.#identify(file);
    if (now !== null) this.#known.set(file, { ...facts, problem: null, identity: now.identity });
  }

  /** Forgets a file that is removed. */
  forget(file: string): void {
    this.#known.delete(file);
  }

  /** What changes when a file is written to or replaced. */
  async #identify(file: string): Promise<{ size: number; identity: string } | null> {
    const found = await stat(join(this.#dir, file)).catch(() => null);
    if (found === null || !found.isFile()) return null;
    const { size, mtimeMs, ctimeMs, ino } = found;
    return { size, identity: `${size} ${mtimeMs} ${ctimeMs} ${ino}` };
  }

  /** Examines a file, once for concurrent callers. */
  #once(file: string, identity: string): Promise<Examined> {
    const key = `${identity} ${file}`;
    let seen = this.#examining.get(key);
    if (seen === undefined) {
      seen = this.#examine(file).finally(() => this.#examining.delete(key));
      this.#examining.set(key, seen);
    }
    return seen;
  }

  async #examine(file: string): Promise<Examined> {
    const path = join(this.#dir, file);
    let problem: HarnessError | null = null;
    try {
      if (this.#inspect === undefined) {
        const { inspectPackage } = await import("../../package/read.ts");
        const { sha256, prefixes, manifest } = await inspectPackage(path);
        requireMatch(file, manifest);
        return { sha256, prefixes, manifest, problem: null };
      }
      const found = await this.#inspect?.(path);
      if (found !== undefined) requireMatch(file, found);
    } catch (error) {
      if (!(error instanceof HarnessError) || error.code !== "package_invalid") throw error;
      getLogger(["harness", "server"]).warn("Left out of the packages: {why}", {
        why: error.message,
      });
      problem = error;
    }
    return { sha256: (await digestFile(path)).sha256, manifest: null, problem };
  }
}

/** Refuses a package whose manifest does not match its file name. */
export function requireMatch(file: string, found: { name: string; version: string }): void {
  if (matchesPackage(file, `${found.name}@${found.version}`)) return;
  throw new HarnessError(
    "package_invalid",
    `Cannot store ${file}: its manifest has ${found.name} ${found.version}; use the file name from "package build"`,
  );
}

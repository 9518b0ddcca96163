/**
 * Package store: a directory of `<name>-<version>.tar.gz`.
 *
 * An upload is written to a `.part` file, checked, synced and renamed, so that a package exists whole or not at
 * all. Files put into the directory by hand count too.
 *
 * @module
 */
import { DEFAULT_SERVER_LIMITS } from "../../model/server_limits.ts";
import { Mutex } from "../../util/mutex.ts";
import { randomUUID } from "node:crypto";
import { open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { HarnessError } from "../../errors.ts";
import type { PackageInfo } from "../../protocol/actions.ts";
import type { CheckedPackage, Packages, PutPackageOptions } from "../backends.ts";
import { asStorage, matchesPackage, parsePackageFile } from "./package_files.ts";
import { type FileFacts, type Inspect, PackageFacts, requireMatch } from "./package_facts.ts";
import { noSignature, PackageSignatures } from "./package_signatures.ts";
import { PackageSpace, type UploadSpace } from "./package_space.ts";
import type { Received } from "./receive.ts";
import { MAX_DOWNLOADS } from "../limits.ts";
import { movingChunks, streamOf, TransferSlots } from "../http/transfers.ts";
import { makeDirectory, syncDirectory } from "../../util/node/files.ts";

/** Options for {@linkcode PackageStore.open}. */
export interface PackageStoreOptions {
  /** Bytes of one package. @default {DEFAULT_SERVER_LIMITS.maxPackageBytes} */
  maxBytes?: number;
  /** Bytes of all packages and unfinished uploads. @default {DEFAULT_SERVER_LIMITS.maxPackagesBytes} */
  maxTotalBytes?: number;
  /** Uploads at once; half of them from one address. @default {DEFAULT_SERVER_LIMITS.maxUploads} */
  maxUploads?: number;
  /** Stall timeout of a transfer. @default {DEFAULT_SERVER_LIMITS.transferStallTimeoutMs} */
  stallTimeoutMs?: number;
  /**
   * Reads and checks an uploaded file before it is renamed. It throws for an invalid one; the name and version it returns
   * must match the file name. `null` accepts any bytes.
   *
   * @default {reads and verifies the package}
   */
  inspect?: ((path: string) => Promise<{ name: string; version: string }>) | null;
  /** Texts of minisign public keys: only packages signed by one of them are stored and deployed. */
  trustedKeys?: readonly string[];
}

/** Whether a file is an unfinished upload. */
const isPart = (name: string) => /^\..*\.part$/.test(name);

/** A directory of packages. */
export class PackageStore implements Packages {
  readonly #dir: string;
  readonly #maxBytes: number;
  readonly #inspect: Inspect;
  readonly #facts: PackageFacts;
  readonly #signatures: PackageSignatures;
  readonly #stallMs: number;
  readonly #space: PackageSpace;
  readonly #uploads: TransferSlots;
  readonly #downloads = new TransferSlots("downloads", MAX_DOWNLOADS);
  /** Serialises commits: the existence check and the rename are one step. */
  readonly #commit = new Mutex();

  private constructor(dir: string, options: PackageStoreOptions) {
    this.#dir = dir;
    this.#maxBytes = options.maxBytes ?? DEFAULT_SERVER_LIMITS.maxPackageBytes;
    this.#inspect = options.inspect;
    this.#facts = new PackageFacts(dir, options.inspect);
    this.#signatures = new PackageSignatures(dir, options.trustedKeys ?? []);
    this.#stallMs = options.stallTimeoutMs ?? DEFAULT_SERVER_LIMITS.transferStallTimeoutMs;
    this.#space = new PackageSpace(
      dir,
      options.maxTotalBytes ?? DEFAULT_SERVER_LIMITS.maxPackagesBytes,
    );
    this.#uploads = new TransferSlots(
      "uploads",
      options.maxUploads ?? DEFAULT_SERVER_LIMITS.maxUploads,
    );
  }

  /**
   * Opens a directory, creating it if needed, and removes the remains of interrupted uploads.
   *
   * @throws {HarnessError} `storage_unavailable` when it cannot be used.
   */
  static async open(dir: string, options: PackageStoreOptions = {}): Promise<PackageStore> {
    return await asStorage(`open the packages directory ${dir}`, async () => {
      await makeDirectory(dir, 0o700);
      for (const name of await readdir(dir)) {
        if (isPart(name)) await rm(join(dir, name), { force: true });
      }
      return new PackageStore(dir, options);
    });
  }

  /** All packages, sorted by file name. */
  async list(): Promise<PackageInfo[]> {
    const names = await asStorage("list the packages", () => readdir(this.#dir));
    const infos: PackageInfo[] = [];
    for (const name of names.sort()) {
      if (parsePackageFile(name) === null) continue;
      const found = await this.#facts.of(name);
      // A file whose content does not match its name is not listed.
      if (found !== null && found.problem === null) infos.push(infoOf(name, found));
    }
    return infos;
  }

  /** Stores a package; see {@linkcode Packages.put}. */
  async put(
    file: string,
    body: ReadableStream<Uint8Array>,
    options: PutPackageOptions = {},
  ): Promise<PackageInfo> {
    const part = join(this.#dir, `.${randomUUID()}.part`);
    let free: (() => void) | undefined;
    let space: UploadSpace | undefined;
    let stored = false;
    let signed: string | null = null;
    try {
      requirePackageFile(file);
      const { size = 0 } = options;
      if (size > this.#maxBytes) throw tooLarge(this.#maxBytes);
      free = this.#uploads.take(options.address);
      space = await asStorage("store the package", () => this.#space.begin(size, isPart));
      const received = await this.#receive(part, body, { space, signal: options.signal });
      const { sha256 } = received;
      if (options.sha256 !== undefined && options.sha256 !== sha256) {
        throw new HarnessError(
          "package_invalid",
          `Cannot store ${file}: its SHA-256 is ${sha256}, not ${options.sha256} as announced; send it again`,
        );
      }
      const inspected = await this.#checkReceived(file, part, received);
      if (options.signature !== undefined) {
        signed = await this.#signatures.stage(options.signature);
      }
      if (this.#signatures.required) await this.#signatures.check(file, part, signed ?? undefined);
      const info = await this.#commit.runExclusive(() =>
        this.#place(file, { part, signed, facts: { sha256, ...inspected } }, options)
      );
      stored = true;
      return info;
    } finally {
      if (!body.locked) void body.cancel().catch(() => {}); // a sender who left is no news here
      await rm(part, { force: true });
      if (signed !== null) await rm(signed, { force: true });
      space?.end(stored);
      free?.();
    }
  }

  /** A package's bytes. */
  async get(
    file: string,
    address?: string,
  ): Promise<{ info: PackageInfo; body: ReadableStream<Uint8Array> }> {
    requirePackageFile(file);
    const onClosed = this.#downloads.take(address);
    try {
      const info = await this.#require(file);
      const handle = await asStorage(`read ${file}`, () => open(join(this.#dir, file), "r"));
      return { info, body: streamOf(handle, { stallMs: this.#stallMs, onClosed }) };
    } catch (error) {
      onClosed();
      throw error;
    }
  }

  /** Removes a package. */
  async remove(file: string): Promise<void> {
    requirePackageFile(file);
    await this.#require(file);
    this.#facts.forget(file);
    await asStorage(`remove ${file}`, async () => {
      await rm(join(this.#dir, file));
      await this.#signatures.remove(file);
    });
  }

  /** Checks a package before it is deployed; see {@linkcode Packages.check}. */
  async check(file: string): Promise<CheckedPackage> {
    // No other bytes are sent than those that were checked, so a file that looks the same is not read again.
    const known = this.#signatures.required ? null : await this.#facts.of(file);
    if (known !== null && known.manifest !== null && known.problem === null) {
      const { manifest, sha256, size, prefixes } = known;
      return { manifest, sha256, size, prefixes };
    }
    const { manifest, sha256, size, prefixes } = await this.#signatures.check(file);
    return { manifest, sha256, size, prefixes };
  }

  /** Stores a signature; see {@linkcode Packages.putSignature}. */
  async putSignature(file: string, text: string): Promise<void> {
    requirePackageFile(file);
    const part = await asStorage(`store ${file}`, () => this.#signatures.stage(text));
    try {
      await this.#commit.runExclusive(async () => {
        const path = join(this.#dir, file);
        const isThere = await this.#info(file) !== null;
        if (isThere && this.#signatures.required) await this.#signatures.check(file, path, part);
        await asStorage(`store ${file}`, async () => {
          await this.#signatures.place(file, part);
          await syncDirectory(this.#dir);
        });
      });
    } finally {
      await rm(part, { force: true });
    }
  }

  /** The signature of a package. */
  async getSignature(file: string): Promise<string> {
    requirePackageFile(file);
    const text = await asStorage(`read ${file}`, () => this.#signatures.read(file));
    if (text === null) throw noSignature(file);
    return text;
  }

  /** Removes the signature of a package. */
  async removeSignature(file: string): Promise<void> {
    await this.getSignature(file);
    await asStorage(`remove ${file}`, () => this.#signatures.remove(file));
  }

  /** The local file of a file name or of `name@version`. */
  async resolve(reference: string): Promise<{ path: string; info: PackageInfo }> {
    let file: string | undefined = reference;
    if (parsePackageFile(reference) === null) {
      const names = await asStorage("list the packages", () => readdir(this.#dir));
      file = names.find((name) => matchesPackage(name, reference));
    }
    const found = file === undefined ? null : await this.#facts.of(file);
    if (file !== undefined && found !== null) {
      if (found.problem !== null) throw found.problem;
      return { path: join(this.#dir, file), info: infoOf(file, found) };
    }
    throw new HarnessError(
      "not_found",
      `Cannot find the package "${reference.slice(0, 256)}": it was not uploaded to this server`,
      { details: { reason: "package_unknown", package: reference.slice(0, 256) } },
    );
  }

  /** Writes a body to the part file; checks it meanwhile, where no other check was given. */
  async #receive(
    part: string,
    body: ReadableStream<Uint8Array>,
    { space, signal }: { space: UploadSpace; signal: AbortSignal | undefined },
  ): Promise<Received> {
    const [stallMs, maxBytes] = [this.#stallMs, this.#maxBytes];
    const counted = async function* () {
      let size = 0;
      for await (const chunk of movingChunks(body, stallMs)) {
        signal?.throwIfAborted();
        size += chunk.length;
        if (size > maxBytes) throw tooLarge(maxBytes);
        await space.add(chunk.length);
        yield chunk;
      }
    };
    const inspect = this.#inspect === undefined;
    const { receivePackage } = await import("./receive.ts");
    return await asStorage(
      "store the package",
      () => receivePackage(part, counted(), { inspect }),
    );
  }

  /** Checks what was received, and that its manifest matches the file name. */
  async #checkReceived(
    file: string,
    part: string,
    received: Received,
  ): Promise<Pick<FileFacts, "manifest" | "prefixes">> {
    const inspected = received.inspected();
    const found = inspected?.manifest ?? await this.#inspect?.(part);
    if (found !== undefined) requireMatch(file, found);
    return inspected ?? { manifest: null };
  }

  async #place(
    file: string,
    { part, signed, facts }: Placed,
    { force = false }: PutPackageOptions,
  ): Promise<PackageInfo> {
    const existing = await this.#info(file);
    if (existing?.sha256 === facts.sha256) {
      if (signed !== null) await this.#signatures.place(file, signed);
      return existing;
    }
    if (existing !== null && !force) {
      throw new HarnessError(
        "already_exists",
        `Cannot store ${file}: the server has other bytes under this name and version; raise the version or force it`,
        { details: { reason: "package_differs", sha256: existing.sha256 } },
      );
    }
    await asStorage(`store ${file}`, async () => {
      // Before the package, so that it never has a signature made for other bytes of the same name.
      if (signed !== null) await this.#signatures.place(file, signed);
      else if (existing !== null && !this.#signatures.required) await this.#signatures.remove(file);
      await rename(part, join(this.#dir, file));
      await syncDirectory(this.#dir);
      await this.#facts.remember(file, facts);
    });
    return await this.#require(file);
  }

  async #require(file: string): Promise<PackageInfo> {
    const info = await this.#info(file);
    if (info !== null) return info;
    throw new HarnessError("not_found", `Cannot find ${file}: the server has no such package`);
  }

  /** The known facts of a file, or `null` when there is none. */
  async #info(file: string): Promise<PackageInfo | null> {
    const found = parsePackageFile(file) === null ? null : await this.#facts.of(file);
    return found === null ? null : infoOf(file, found);
  }
}

/** An upload that is complete. */
interface Placed {
  readonly part: string;
  readonly signed: string | null;
  readonly facts: Omit<FileFacts, "size" | "problem">;
}

function infoOf(file: string, { size, sha256 }: FileFacts): PackageInfo {
  const { name = "", version = "" } = parsePackageFile(file) ?? {};
  return { file, name, version, size, sha256 };
}

function requirePackageFile(file: string): void {
  if (parsePackageFile(file) !== null) return;
  throw new HarnessError(
    "invalid_params",
    `Cannot use the package name "${file.slice(0, 128)}": it must be <name>-<version>.tar.gz`,
  );
}

function tooLarge(maxBytes: number): HarnessError {
  return new HarnessError(
    "too_large",
    `Cannot store the package: it exceeds ${maxBytes} bytes`,
    { details: { max_bytes: maxBytes } },
  );
}

/**
 * Stores the signatures of packages beside them, and checks them where signatures are required.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { HarnessError } from "../../errors.ts";
import type { PackageSummary } from "../../package/read.ts";
import { hasErrorCode, writeSynced } from "../../util/node/files.ts";

/** Suffix of a signature's file name. */
export const SIGNATURE_SUFFIX = ".minisig";

/** Signatures in a directory of packages. */
export class PackageSignatures {
  readonly #dir: string;
  readonly #trustedKeys: readonly string[];

  /** With trusted keys, a package without a valid signature by one of them is refused. */
  constructor(dir: string, trustedKeys: readonly string[]) {
    this.#dir = dir;
    this.#trustedKeys = trustedKeys;
  }

  /** Whether signatures are required. */
  get required(): boolean {
    return this.#trustedKeys.length > 0;
  }

  /**
   * Reads and checks a package from its file.
   *
   * @param file Its file name.
   * @param path Path of its bytes.
   * @param signaturePath Path of its signature.
   * @throws {HarnessError} `package_invalid` for one that is malformed, has a wrong file name or, where signatures
   * are required, is not signed by a trusted key.
   */
  async check(
    file: string,
    path = join(this.#dir, file),
    signaturePath = this.#pathOf(file),
  ): Promise<PackageSummary> {
    if (!this.required) {
      const { inspectNamed } = await import("../../package/read.ts");
      return await inspectNamed(path, {}, file);
    }
    const { requireSignedPackage } = await import("../../package/signing/sign.ts");
    const options = { trustedKeys: this.#trustedKeys, signaturePath, fileName: file };
    return (await requireSignedPackage(path, options)).summary;
  }

  /** Writes a signature to a temporary file in the directory; {@linkcode place} gives it its name. */
  async stage(text: string): Promise<string> {
    const { requireSignatureText } = await import("../../package/signing/sign.ts");
    requireSignatureText(text);
    const part = join(this.#dir, `.${randomUUID()}.part`);
    await writeSynced(part, text);
    return part;
  }

  /** Renames a staged signature to that of a package. */
  async place(file: string, part: string): Promise<void> {
    await rename(part, this.#pathOf(file));
  }

  /** The signature of a package, or `null`. */
  async read(file: string): Promise<string | null> {
    try {
      return await readFile(this.#pathOf(file), "utf8");
    } catch (error) {
      if (hasErrorCode(error, "ENOENT")) return null;
      throw error;
    }
  }

  /** Removes the signature of a package, if any. */
  async remove(file: string): Promise<void> {
    await rm(this.#pathOf(file), { force: true });
  }

  #pathOf(file: string): string {
    return join(this.#dir, file + SIGNATURE_SUFFIX);
  }
}

/** The error for a missing signature. */
export function noSignature(file: string): HarnessError {
  return new HarnessError("not_found", `Cannot find the signature of ${file}: the server has none`);
}

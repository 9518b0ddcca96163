/**
 * Signatures of packages, compatible with minisign in both directions.
 *
 * The signature of `hello-1.0.0.tar.gz` is `hello-1.0.0.tar.gz.minisig`. Its trusted comment, which is
 * signed too, is `name:hello version:1.0.0 sha256:…`, so that an older or renamed package cannot be
 * passed off for another.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { HarnessError, messageOf } from "../../errors.ts";
import { MAX_LEGACY_SIGNED_BYTES } from "../limits.ts";
import { MAX_SIGNATURE_FILE_BYTES } from "../../model/limits.ts";
import { invalid } from "../errors.ts";
import {
  formatPublicKey,
  formatSecretKey,
  formatSignature,
  keyIdText,
  newSecretKey,
  parsePublicKey,
  parseSecretKey,
  parseSignature,
  type PublicKey,
  sign,
  type Signature,
  verify,
} from "./minisign.ts";
import { fileNameProblem, inspectNamed, inspectPackage, type PackageSummary } from "../read.ts";

/** A new key pair as the texts of minisign's two files. */
export interface KeyPair {
  /** To verify signatures. */
  publicKey: string;
  /** To sign; keep it in a file with mode 0600. */
  secretKey: string;
  /** The key's id as minisign prints it. */
  keyId: string;
}

/** Options for {@linkcode signPackage}. */
export interface SignPackageOptions {
  /** Text of minisign's secret key file. */
  secretKey: string;
  /** Its password, when it is encrypted. */
  password?: string;
  /** Sign the file itself in minisign's legacy form instead of its BLAKE2b hash. @default {false} */
  legacy?: boolean;
}

/** Options for {@linkcode verifySignature}. */
export interface VerifySignatureOptions {
  /** Texts of public key files, or only their base64 lines. */
  trustedKeys: readonly string[];
  /** The signature file. @default {"<package>.minisig"} */
  signaturePath?: string;
  /** The file name of the package, when `path` is a temporary one. @default {the last part of `path`} */
  fileName?: string;
}

/** A package with a valid signature of exactly the bytes that were read. */
export interface SignedPackage {
  /** Id of the trusted key that signed it. */
  keyId: string;
  /** Its content. */
  summary: PackageSummary;
}

/** The verdict on a signature. */
export type SignatureVerdict =
  | { status: "unsigned" }
  | { status: "unknown_key"; /** The key that made it. */ keyId: string }
  | {
    status: "bad_signature";
    /** The key that it names, or `null` when it is unreadable. */
    keyId: string | null;
    /** What is wrong with it. */
    why: string;
  }
  | {
    status: "valid";
    /** The trusted key that made it. */
    keyId: string;
    /** The trusted comment. */
    trustedComment: string;
  };

/** Generates a key pair; with `password`, the secret key is encrypted (this takes 1 GiB and some seconds). */
export async function generateKeyPair(options: { password?: string } = {}): Promise<KeyPair> {
  const key = await newSecretKey();
  return {
    publicKey: formatPublicKey(key),
    secretKey: await formatSecretKey(key, options.password ?? null),
    keyId: keyIdText(key.id),
  };
}

/**
 * Verifies the package at `path` and writes its signature beside it.
 *
 * @returns The path of the signature.
 * @throws {HarnessError} `package_invalid` for an invalid package, `invalid_params` for a bad key.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * import { buildPackage } from "../build.ts";
 * const outDir = await Deno.makeTempDir();
 * const { path } = await buildPackage("examples/hello-service", { outDir });
 * const { publicKey, secretKey } = await generateKeyPair();
 * await signPackage(path, { secretKey });
 * const verdict = await verifySignature(path, { trustedKeys: [publicKey] });
 * assert.equal(verdict.status, "valid");
 * await Deno.remove(outDir, { recursive: true });
 * ```
 */
export async function signPackage(path: string, options: SignPackageOptions): Promise<string> {
  const key = await parseSecretKey(options.secretKey, options.password ?? null);
  const { manifest, sha256 } = await inspectNamed(path);
  const prehashed = !options.legacy;
  const trustedComment = `name:${manifest.name} version:${manifest.version} sha256:${sha256}`;
  const { data, sha256: signed } = await signedBytes(path, prehashed);
  if (signed !== sha256) {
    throw invalid("changed_while_reading", "it changed while it was being signed");
  }
  const signature = await sign(key, data);
  if (!await verify(key, signature, data)) {
    throw new HarnessError("invalid_params", "Cannot sign: the secret key is damaged");
  }
  const commentSignature = await sign(key, commentBytes(signature, trustedComment));
  const text = formatSignature({
    prehashed,
    keyId: key.id,
    signature,
    trustedComment,
    commentSignature,
  });
  const target = signaturePathOf(path);
  const part = `${target}.${randomBytes(6).toString("hex")}.part`;
  try {
    await writeFile(part, text, { flag: "wx", mode: 0o644 });
    await rename(part, target);
  } finally {
    await rm(part, { force: true });
  }
  return target;
}

/** The path of the signature of the package at `path`. */
export function signaturePathOf(path: string): string {
  return `${path}.minisig`;
}

/**
 * Checks whether a trusted key signed the package at `path`.
 *
 * @throws {HarnessError} `invalid_params` when a trusted key cannot be read.
 */
export async function verifySignature(
  path: string,
  options: VerifySignatureOptions,
): Promise<SignatureVerdict> {
  return (await check(path, options)).verdict;
}

/**
 * Requires a valid signature.
 *
 * @returns The id of the trusted key that made the signature.
 * @throws {HarnessError} `package_invalid` with the reason `unsigned`, `unknown_key` or `bad_signature`.
 */
export async function requireSignature(
  path: string,
  options: VerifySignatureOptions,
): Promise<string> {
  return (await requireSignedPackage(path, options)).keyId;
}

/**
 * Requires a valid signature and returns the content: its digest is that of the bytes whose signature was checked.
 *
 * @throws {HarnessError} As {@linkcode requireSignature}, and for an invalid package.
 */
export async function requireSignedPackage(
  path: string,
  options: VerifySignatureOptions,
): Promise<SignedPackage> {
  const { verdict, summary } = await check(path, options);
  switch (verdict.status) {
    case "valid":
      if (summary === null) break;
      return { keyId: verdict.keyId, summary };
    case "unsigned":
      throw invalid("unsigned", `there is no signature beside it: sign it with package sign`);
    case "unknown_key":
      throw invalid(
        "unknown_key",
        `key ${verdict.keyId} signed it, which is not among the ${options.trustedKeys.length} trusted ones`,
        { key_id: verdict.keyId },
      );
    case "bad_signature":
      throw invalid("bad_signature", `its signature is bad: ${verdict.why}`, {
        key_id: verdict.keyId,
      });
  }
  throw new TypeError("Unreachable: a valid signature comes with a summary");
}

/** Whether a text is a minisign public key: a key file, or only its base64 line. */
export function isPublicKey(text: string): boolean {
  try {
    parsePublicKey(text);
    return true;
  } catch {
    return false;
  }
}

/** Checks that a text has the form of a signature file. @throws {HarnessError} `package_invalid`. */
export function requireSignatureText(text: string): void {
  try {
    if (text.length > MAX_SIGNATURE_FILE_BYTES) throw new RangeError("it is too large");
    parseSignature(text);
  } catch (error) {
    throw invalid("bad_signature", `its signature cannot be read: ${messageOf(error)}`);
  }
}

async function check(
  path: string,
  options: VerifySignatureOptions,
): Promise<{ verdict: SignatureVerdict; summary: PackageSummary | null }> {
  const trusted = options.trustedKeys.map(parsePublicKey);
  const file = options.signaturePath ?? signaturePathOf(path);
  const without = (verdict: SignatureVerdict) => ({ verdict, summary: null });
  const found = await stat(file).catch(() => null);
  if (found === null) return without({ status: "unsigned" });
  const bad = (why: string, keyId: string | null) =>
    without({ status: "bad_signature", keyId, why });
  if (found.size > MAX_SIGNATURE_FILE_BYTES) return bad("the signature file is too large", null);
  let signature: Signature;
  try {
    signature = parseSignature(await readFile(file, "utf8"));
  } catch (error) {
    if (!(error instanceof HarnessError)) throw error;
    return bad(error.message, null);
  }
  const keyId = keyIdText(signature.keyId);
  const key = trusted.find((one) => Buffer.from(one.id).equals(signature.keyId));
  if (key === undefined) return without({ status: "unknown_key", keyId });
  const { data, sha256 } = await signedBytes(path, signature.prehashed);
  const why = await signatureProblem(signature, key, data);
  if (why !== null) return bad(why, keyId);
  const summary = await inspectPackage(path);
  // The file is read twice: the signed bytes must be those whose content was checked.
  const mismatch = summary.sha256 === sha256
    ? claimProblem(signature.trustedComment, summary, options.fileName ?? basename(path))
    : "the package changed while it was read";
  if (mismatch !== null) return bad(mismatch, keyId);
  return { verdict: { status: "valid", keyId, trustedComment: signature.trustedComment }, summary };
}

async function signatureProblem(
  signature: Signature,
  key: PublicKey,
  data: Uint8Array,
): Promise<string | null> {
  if (!await verify(key, signature.signature, data)) return "the package is not what was signed";
  const comment = commentBytes(signature.signature, signature.trustedComment);
  if (!await verify(key, signature.commentSignature, comment)) {
    return "the trusted comment is not what was signed";
  }
  return null;
}

/**
 * Every claim of a trusted comment about name, version, file and digest must be true, and the file name must match the
 * manifest. A comment of plain minisign has few claims: then the signature of the bytes is what counts.
 */
function claimProblem(
  comment: string,
  { manifest, sha256 }: PackageSummary,
  fileName: string,
): string | null {
  const said = comment.split(/\s+/)
    .map((word) => /^(name|version|sha256|file):(.+)$/.exec(word))
    .filter((match) => match !== null);
  const { name, version } = manifest;
  const is: Record<string, string> = { name, version, sha256, file: fileName };
  const wrong = said.find(([, field = "", value]) => is[field] !== value);
  if (wrong !== undefined) {
    const [claim, field = ""] = wrong;
    return `it was made for ${claim}, and this is ${field}:${is[field]}`;
  }
  return fileNameProblem(fileName, manifest);
}

function commentBytes(signature: Uint8Array, comment: string): Uint8Array {
  return Buffer.concat([signature, Buffer.from(comment)]);
}

/** The data that Ed25519 signs, the file's BLAKE2b-512 or in the legacy form the file itself, with its SHA-256. */
async function signedBytes(
  path: string,
  prehashed: boolean,
): Promise<{ data: Uint8Array; sha256: string }> {
  const sha256 = createHash("sha256");
  if (prehashed) {
    const hash = createHash("blake2b512");
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
      hash.update(chunk);
      sha256.update(chunk);
    }
    return { data: hash.digest(), sha256: sha256.digest("hex") };
  }
  const { size } = await stat(path);
  if (size > MAX_LEGACY_SIGNED_BYTES) {
    throw invalid(
      "bad_signature",
      `a legacy signature (Ed) needs the file in memory; at most ${MAX_LEGACY_SIGNED_BYTES} bytes are allowed`,
    );
  }
  const data = await readFile(path);
  return { data, sha256: sha256.update(data).digest("hex") };
}

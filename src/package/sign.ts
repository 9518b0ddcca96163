/**
 * Signatures of packages, compatible with minisign in both directions.
 *
 * The signature of `hello-1.0.0.tar.gz` is `hello-1.0.0.tar.gz.minisig`. Its trusted comment, which is
 * signed too, says `name:hello version:1.0.0 sha256:…`, so that an older or renamed package cannot be
 * passed off for another.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { HarnessError } from "../errors.ts";
import { MAX_LEGACY_SIGNED_BYTES, MAX_SIGNATURE_FILE_BYTES } from "../limits.ts";
import { invalid } from "./invalid.ts";
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
import { inspectPackage } from "./read.ts";

/** A new key pair as the texts of minisign's two files. */
export interface KeyPair {
  /** For everybody who verifies. */
  publicKey: string;
  /** To be kept in a file with mode 0600. */
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
  /** Sign the whole file in minisign's old form instead of its BLAKE2b hash. @default {false} */
  legacy?: boolean;
}

/** Options for {@linkcode verifySignature}. */
export interface VerifySignatureOptions {
  /** Texts of public key files, or only their base64 lines. */
  trustedKeys: readonly string[];
  /** The signature file. @default {"<package>.minisig"} */
  signaturePath?: string;
}

/** What a signature is worth. */
export type SignatureVerdict =
  | { status: "unsigned" }
  | { status: "unknown_key"; /** The key that made it. */ keyId: string }
  | {
    status: "bad_signature";
    /** The key that it names, or `null` when it cannot be read. */
    keyId: string | null;
    /** What is wrong with it. */
    why: string;
  }
  | {
    status: "valid";
    /** The trusted key that made it. */
    keyId: string;
    /** The text that was signed along. */
    trustedComment: string;
  };

/** Makes a key pair; with `password`, the secret key is encrypted (this takes 1 GiB and some seconds). */
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
 * @throws {HarnessError} `package_invalid` for a package that is not sound, `invalid_params` for a bad key.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * import { buildPackage } from "./build.ts";
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
  const { manifest, sha256 } = await inspectPackage(path);
  const prehashed = !options.legacy;
  const trustedComment = `name:${manifest.name} version:${manifest.version} sha256:${sha256}`;
  const data = await signedBytes(path, prehashed);
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

/** Where the signature of the package at `path` is. */
export function signaturePathOf(path: string): string {
  return `${path}.minisig`;
}

/**
 * Says whether a trusted key signed the package at `path`.
 *
 * @throws {HarnessError} `invalid_params` when a trusted key cannot be read.
 */
export async function verifySignature(
  path: string,
  options: VerifySignatureOptions,
): Promise<SignatureVerdict> {
  const trusted = options.trustedKeys.map(parsePublicKey);
  const file = options.signaturePath ?? signaturePathOf(path);
  const found = await stat(file).catch(() => null);
  if (found === null) return { status: "unsigned" };
  const bad = (why: string, keyId: string | null): SignatureVerdict => ({
    status: "bad_signature",
    keyId,
    why,
  });
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
  if (key === undefined) return { status: "unknown_key", keyId };
  const why = await signatureProblem(path, signature, key);
  if (why !== null) return bad(why, keyId);
  return { status: "valid", keyId, trustedComment: signature.trustedComment };
}

/**
 * {@linkcode verifySignature} as a gate.
 *
 * @returns The id of the trusted key that made the signature.
 * @throws {HarnessError} `package_invalid` with the reason `unsigned`, `unknown_key` or `bad_signature`.
 */
export async function requireSignature(
  path: string,
  options: VerifySignatureOptions,
): Promise<string> {
  const verdict = await verifySignature(path, options);
  switch (verdict.status) {
    case "valid":
      return verdict.keyId;
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
}

async function signatureProblem(
  path: string,
  signature: Signature,
  key: PublicKey,
): Promise<string | null> {
  if (!await verify(key, signature.signature, await signedBytes(path, signature.prehashed))) {
    return "the package is not what was signed";
  }
  const comment = commentBytes(signature.signature, signature.trustedComment);
  if (!await verify(key, signature.commentSignature, comment)) {
    return "the trusted comment is not what was signed";
  }
  return await commentProblem(path, signature.trustedComment);
}

/**
 * What a trusted comment says of name, version and digest must be so, each that it says. A comment of plain
 * minisign says none of it: then the signature itself, which is over the very bytes, is what counts.
 */
async function commentProblem(path: string, comment: string): Promise<string | null> {
  const said = comment.split(/\s+/)
    .map((word) => /^(name|version|sha256):(.+)$/.exec(word))
    .filter((match) => match !== null);
  if (said.length === 0) return null;
  const { manifest, sha256 } = await inspectPackage(path);
  const is: Record<string, string> = { name: manifest.name, version: manifest.version, sha256 };
  const wrong = said.find(([, field = "", value]) => is[field] !== value);
  if (wrong === undefined) return null;
  const [claim, field = ""] = wrong;
  return `it was made for ${claim}, and this is ${field}:${is[field]}`;
}

function commentBytes(signature: Uint8Array, comment: string): Uint8Array {
  return Buffer.concat([signature, Buffer.from(comment)]);
}

/** What Ed25519 signs: the file's BLAKE2b-512, or in the old form the file itself. */
async function signedBytes(path: string, prehashed: boolean): Promise<Uint8Array> {
  if (prehashed) {
    const hash = createHash("blake2b512");
    await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
    return hash.digest();
  }
  const { size } = await stat(path);
  if (size > MAX_LEGACY_SIGNED_BYTES) {
    throw invalid(
      "bad_signature",
      `a signature of the old form (Ed) needs the file in memory; ${MAX_LEGACY_SIGNED_BYTES} bytes are allowed`,
    );
  }
  return await readFile(path);
}

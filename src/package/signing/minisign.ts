/**
 * The file formats of minisign (jedisct1.github.io/minisign): public keys, secret keys, signatures. No npm library was
 * found for them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { randomBytes, scrypt, webcrypto } from "node:crypto";
import { blake2b } from "@noble/hashes/blake2.js";
import { HarnessError } from "../../errors.ts";

/** A public key. */
export interface PublicKey {
  /** Its id, eight bytes. */
  id: Uint8Array;
  /** The Ed25519 key. */
  key: Uint8Array;
}

/** A decrypted secret key. */
export interface SecretKey extends PublicKey {
  /** The Ed25519 seed. */
  seed: Uint8Array;
}

/** A signature file. */
export interface Signature {
  /** Whether the BLAKE2b hash of the file is signed (`ED`), or the file itself in the legacy form (`Ed`). */
  prehashed: boolean;
  /** Id of the key it was made with. */
  keyId: Uint8Array;
  /** Signature of the file. */
  signature: Uint8Array;
  /** Text that is signed, too. */
  trustedComment: string;
  /** Signature of the signature and the trusted comment. */
  commentSignature: Uint8Array;
}

/**
 * scrypt parameters of `minisign -G`: 1 GiB and some seconds, so that guessing passwords is expensive.
 * N, r, p follow from these two numbers by libsodium's rule.
 */
const OPS_LIMIT = 33_554_432;
const MEMORY_LIMIT = 1_073_741_824;
const SECRET_BYTES = 158;
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** A key's id as minisign prints it. */
export function keyIdText(id: Uint8Array): string {
  return Buffer.from(id).reverse().toString("hex").toUpperCase();
}

/** Reads a public key: the file's text, or only its base64 line. */
export function parsePublicKey(text: string): PublicKey {
  const bytes = decode(lastLine(text), 42, "public key");
  if (bytes.toString("latin1", 0, 2) !== "Ed") throw unreadable("public key", "its algorithm");
  return { id: bytes.subarray(2, 10), key: bytes.subarray(10) };
}

/** The text of a public key file. */
export function formatPublicKey(key: PublicKey): string {
  const bytes = Buffer.concat([Buffer.from("Ed"), key.id, key.key]);
  return `untrusted comment: minisign public key ${keyIdText(key.id)}\n${
    bytes.toString("base64")
  }\n`;
}

/** A new key pair. */
export async function newSecretKey(): Promise<SecretKey> {
  const { privateKey } = await webcrypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ]) as webcrypto.CryptoKeyPair;
  const jwk = await webcrypto.subtle.exportKey("jwk", privateKey);
  return {
    id: randomBytes(8),
    seed: Buffer.from(jwk.d ?? "", "base64url"),
    key: Buffer.from(jwk.x ?? "", "base64url"),
  };
}

/** The text of a secret key file, encrypted when a password is given. */
export async function formatSecretKey(key: SecretKey, password: string | null): Promise<string> {
  const secret = Buffer.concat([key.id, key.seed, key.key]);
  const body = Buffer.concat([secret, password === null ? Buffer.alloc(32) : checksumOf(secret)]);
  const salt = password === null ? Buffer.alloc(32) : randomBytes(32);
  const limits = Buffer.alloc(16);
  if (password !== null) {
    limits.writeBigUInt64LE(BigInt(OPS_LIMIT), 0);
    limits.writeBigUInt64LE(BigInt(MEMORY_LIMIT), 8);
    xor(body, await stretch(password, salt, limits));
  }
  const algorithm = Buffer.from(password === null ? "Ed\0\0B2" : "EdScB2", "latin1");
  const bytes = Buffer.concat([algorithm, salt, limits, body]);
  const kind = password === null ? "minisign secret key" : "minisign encrypted secret key";
  return `untrusted comment: ${kind}\n${bytes.toString("base64")}\n`;
}

/**
 * Reads a secret key file.
 *
 * @throws {HarnessError} `invalid_params` when it is invalid, or the password is missing or wrong.
 */
export async function parseSecretKey(text: string, password: string | null): Promise<SecretKey> {
  const bytes = decode(lastLine(text), SECRET_BYTES, "secret key");
  const algorithm = bytes.toString("latin1", 0, 6);
  const body = Buffer.from(bytes.subarray(54));
  if (algorithm === "EdScB2") {
    if (password === null) throw unreadable("secret key", "it is encrypted: give its password");
    xor(body, await stretch(password, bytes.subarray(6, 38), bytes.subarray(38, 54)));
  } else if (algorithm !== "Ed\0\0B2") {
    throw unreadable("secret key", "its algorithms are not those of minisign");
  }
  // As in minisign, a key without password has no checksum.
  const encrypted = algorithm === "EdScB2";
  if (encrypted && !body.subarray(72).equals(checksumOf(body.subarray(0, 72)))) {
    throw unreadable("secret key", "the password is wrong");
  }
  return { id: body.subarray(0, 8), seed: body.subarray(8, 40), key: body.subarray(40, 72) };
}

/** Reads a signature file. */
export function parseSignature(text: string): Signature {
  const [first, second, third, fourth] = text.split(/\r?\n/);
  const prefix = "trusted comment: ";
  if (!first?.startsWith("untrusted comment: ") || !third?.startsWith(prefix)) {
    throw unreadable("signature", "it does not have the four lines of a minisign signature");
  }
  const bytes = decode(second ?? "", 74, "signature");
  const algorithm = bytes.toString("latin1", 0, 2);
  if (algorithm !== "ED" && algorithm !== "Ed") throw unreadable("signature", "its algorithm");
  return {
    prehashed: algorithm === "ED",
    keyId: bytes.subarray(2, 10),
    signature: bytes.subarray(10),
    trustedComment: third.slice(prefix.length),
    commentSignature: decode(fourth ?? "", 64, "signature"),
  };
}

/** The text of a signature file. */
export function formatSignature(signature: Signature): string {
  const algorithm = Buffer.from(signature.prehashed ? "ED" : "Ed");
  const bytes = Buffer.concat([algorithm, signature.keyId, signature.signature]);
  return [
    `untrusted comment: signature from minisign secret key ${keyIdText(signature.keyId)}`,
    bytes.toString("base64"),
    `trusted comment: ${signature.trustedComment}`,
    Buffer.from(signature.commentSignature).toString("base64"),
    "",
  ].join("\n");
}

/** Signs bytes with Ed25519. */
export async function sign(key: SecretKey, data: Uint8Array): Promise<Uint8Array> {
  const pkcs8 = Buffer.concat([ED25519_PKCS8, key.seed]);
  const imported = await webcrypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
  return new Uint8Array(await webcrypto.subtle.sign("Ed25519", imported, Buffer.from(data)));
}

/** Whether an Ed25519 signature is valid. */
export async function verify(
  key: PublicKey,
  signature: Uint8Array,
  data: Uint8Array,
): Promise<boolean> {
  const raw = Buffer.from(key.key);
  const imported = await webcrypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
  return await webcrypto.subtle.verify(
    "Ed25519",
    imported,
    Buffer.from(signature),
    Buffer.from(data),
  );
}

/** BLAKE2b-256; `node:crypto` has only the 64-byte form, which is what the files themselves are hashed with. */
function checksumOf(secret: Uint8Array): Uint8Array {
  return blake2b(Buffer.concat([Buffer.from("Ed"), secret]), { dkLen: 32 });
}

function lastLine(text: string): string {
  return text.trimEnd().split(/\r?\n/).at(-1) ?? "";
}

function decode(base64: string, length: number, what: string): Buffer {
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length !== length || bytes.toString("base64") !== base64.trim()) {
    throw unreadable(what, "it is not in minisign's format");
  }
  return bytes;
}

function unreadable(what: string, why: string): HarnessError {
  return new HarnessError("invalid_params", `Cannot read the ${what}: ${why}`, {
    details: { reason: "bad_key" },
  });
}

function xor(bytes: Buffer, key: Uint8Array): void {
  bytes.forEach((byte, i) => bytes[i] = byte ^ (key[i] ?? 0));
}

/** The key stream of an encrypted secret key. */
async function stretch(password: string, salt: Uint8Array, limits: Buffer): Promise<Uint8Array> {
  const { N, r, p } = scryptParameters(limits.readBigUInt64LE(0), limits.readBigUInt64LE(8));
  const memory = 128 * N * r + 128 * r * p + 1024 * 1024;
  return await new Promise((resolve, reject) => {
    scrypt(password, salt, 104, { N, r, p, maxmem: memory }, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** libsodium's rule (crypto_pwhash_scryptsalsa208sha256, pickparams). */
function scryptParameters(ops: bigint, memory: bigint): { N: number; r: number; p: number } {
  const r = 8;
  const opsLimit = Math.max(32_768, Number(ops));
  const memoryLimit = Number(memory);
  if (memoryLimit > MEMORY_LIMIT || opsLimit > OPS_LIMIT * 4) {
    throw unreadable("secret key", "it needs more memory or time than minisign allows");
  }
  const memoryBound = opsLimit >= memoryLimit / 32;
  const largest = memoryBound ? memoryLimit / (r * 128) : opsLimit / (r * 4);
  let log = 1;
  while (log < 63 && 2 ** log <= largest / 2) log++;
  const N = 2 ** log;
  const p = memoryBound ? Math.max(1, Math.floor(opsLimit / 4 / N / r)) : 1;
  return { N, r, p };
}

/**
 * `package verify|keygen|sign`, and signatures that a deployment requires.
 *
 * @module
 */
import { chmod, stat, writeFile } from "node:fs/promises";
import { HarnessError, messageWithPath } from "../../../errors.ts";
import {
  generateKeyPair,
  isPublicKey,
  requireSignature as requirePackageSignature,
  signPackage,
} from "../../../package/signing/sign.ts";
import { SERVER_NAME } from "../../../version.ts";
import type { NamedFile } from "../../flags/flags.ts";
import type { Io } from "../../context.ts";
import { aboutPackage, readPackage } from "./file.ts";
import { withHint } from "../../output/hints.ts";
import { named, readSecretFile } from "../../flags/secrets.ts";
import { note } from "../../output/notes.ts";
import { printJson, printLine } from "../../output/table.ts";

/**
 * The texts of the public keys that `--trusted-key` names: files, or the keys themselves.
 *
 * @throws {HarnessError} For a file that cannot be read, and for what is no key.
 */
export function trustedKeys(keys: readonly NamedFile[]): Promise<string[]> {
  return Promise.all(keys.map(async (key) => {
    if (isPublicKey(key.path)) return key.path;
    const text = await readSecretFile(key);
    if (isPublicKey(text)) return text;
    throw new HarnessError(
      "invalid_params",
      `Cannot use ${named(key)}: it is not a minisign public key; ` +
        `\`${SERVER_NAME} package keygen\` makes a pair`,
    );
  }));
}

/** Refuses a package that the public key in `keyFile` did not sign; returns the id of the key. */
export async function requireSignature(file: string, keyFile: NamedFile): Promise<string> {
  return (await signedBy(file, [keyFile])) ?? "";
}

/** Checks a package and, when keys are given, that one of them signed it. */
export async function verifyCommand(
  io: Io,
  file: string,
  options: { keys: readonly NamedFile[]; json: boolean },
): Promise<void> {
  const { manifest, sha256 } = await readPackage(file, { signal: io.interrupted });
  const signer = await signedBy(file, options.keys);
  const { name, version } = manifest;
  if (options.json) return printJson(io, { file, name, version, sha256, signed_by: signer });
  const signed = signer === null ? "" : `, signed by ${signer}`;
  printLine(io, `${file}: ${name} ${version} is sound${signed}`);
}

/** Makes a key pair: `<out>.key` (0600) and `<out>.pub`. */
export async function keygenCommand(
  io: Io,
  options: { out: string; force: boolean; passwordFile: NamedFile | null; json: boolean },
): Promise<void> {
  const password = await keyPassword(io, options.passwordFile);
  const files = { secret: `${options.out}.key`, public: `${options.out}.pub` };
  if (!options.force) {
    for (const path of Object.values(files)) await refuseExisting(path);
  }
  const pair = await generateKeyPair(password === null ? {} : { password });
  const flag = options.force ? "w" : "wx";
  try {
    await writeFile(files.secret, pair.secretKey, { mode: 0o600, flag });
    // The mode above is only that of a new file.
    await chmod(files.secret, 0o600);
    await writeFile(files.public, pair.publicKey, { mode: 0o644, flag });
  } catch (error) {
    throw new HarnessError("forbidden", `Cannot write the keys: ${messageWithPath(error)}`, {
      cause: error,
    });
  }
  if (password === null) {
    io.err(`${files.secret} is not encrypted: anyone who can read it can sign; keep it private\n`);
  }
  if (options.json) {
    return printJson(io, {
      key_id: pair.keyId,
      secret_key_file: files.secret,
      public_key_file: files.public,
    });
  }
  io.out(`${files.secret}\n${files.public}\n`);
  note(io, `key ${pair.keyId}; give ${files.public} to those who verify\n`);
}

/** Signs a package; prints the path of the signature. */
export async function signCommand(
  io: Io,
  file: string,
  options: { key: NamedFile; passwordFile: NamedFile | null; json: boolean },
): Promise<void> {
  const secretKey = await readSecretFile(options.key);
  const password = await keyPassword(io, options.passwordFile);
  const path = await signPackage(file, { secretKey, ...(password === null ? {} : { password }) })
    .catch((error) => {
      throw aboutKeys([options.key], aboutPackage(file, error));
    });
  if (options.json) return printJson(io, { file, signature_file: path });
  io.out(`${path}\n`);
}

/** The id of the key that signed the package, `null` where no keys are given. */
async function signedBy(file: string, keys: readonly NamedFile[]): Promise<string | null> {
  if (keys.length === 0) return null;
  const trustedKeys = await Promise.all(keys.map(readSecretFile));
  try {
    return await requirePackageSignature(file, { trustedKeys });
  } catch (error) {
    throw aboutKeys(keys, aboutPackage(file, error));
  }
}

/** Adds the files of the keys to the error of one that cannot be read. */
function aboutKeys(keys: readonly NamedFile[], error: unknown): unknown {
  return withHint(
    error,
    { code: "invalid_params", reason: "bad_key" },
    `the key is in ${keys.map(named).join(", ")}; \`${SERVER_NAME} package keygen\` makes a pair`,
  );
}

async function keyPassword(io: Io, file: NamedFile | null): Promise<string | null> {
  return file === null ? io.env("HARNESS_SIGN_PASSWORD") ?? null : await readSecretFile(file);
}

async function refuseExisting(path: string): Promise<void> {
  const there = await stat(path).then(() => true, () => false);
  if (!there) return;
  throw new HarnessError(
    "already_exists",
    `Cannot write ${path}: it is there already, choose another --out (or --force, which destroys it)`,
  );
}

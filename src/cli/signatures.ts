/**
 * `package verify|keygen|sign`, and signatures that a deployment requires.
 *
 * @module
 */
import { HarnessError, messageOf } from "../errors.ts";
import { inspectPackage } from "../package/read.ts";
import {
  generateKeyPair,
  requireSignature as requirePackageSignature,
  signPackage,
} from "../package/sign.ts";
import type { Io } from "./io.ts";
import { readSecretFile } from "./secrets.ts";
import { printable, printJson } from "./table.ts";

/** Refuses a package that the public key in `keyFile` did not sign; returns the id of the key. */
export async function requireSignature(file: string, keyFile: string): Promise<string> {
  return await requirePackageSignature(file, { trustedKeys: [await readSecretFile(keyFile)] });
}

/** Checks a package and, when keys are given, that one of them signed it. */
export async function verifyCommand(
  io: Io,
  file: string,
  options: { keys: readonly string[]; json: boolean },
): Promise<void> {
  const { manifest, sha256 } = await inspectPackage(file, { signal: io.interrupted });
  const trustedKeys = await Promise.all(options.keys.map(readSecretFile));
  const signedBy = trustedKeys.length === 0
    ? null
    : await requirePackageSignature(file, { trustedKeys });
  const { name, version } = manifest;
  if (options.json) return printJson(io, { file, name, version, sha256, signed_by: signedBy });
  const signed = signedBy === null ? "" : `, signed by ${signedBy}`;
  io.out(`${printable(file)}: ${name} ${version} is sound${signed}\n`);
}

/** Makes a key pair: `<out>.key` (0600) and `<out>.pub`. */
export async function keygenCommand(
  io: Io,
  options: { out: string; force: boolean; passwordFile: string | null },
): Promise<void> {
  const password = await keyPassword(io, options.passwordFile);
  const files = { secret: `${options.out}.key`, public: `${options.out}.pub` };
  if (!options.force) {
    for (const path of Object.values(files)) await refuseExisting(path);
  }
  const pair = await generateKeyPair(password === null ? {} : { password });
  const createNew = !options.force;
  try {
    await Deno.writeTextFile(files.secret, pair.secretKey, { mode: 0o600, createNew });
    // The mode above is only that of a new file.
    await Deno.chmod(files.secret, 0o600);
    await Deno.writeTextFile(files.public, pair.publicKey, { mode: 0o644, createNew });
  } catch (error) {
    throw new HarnessError("forbidden", `Cannot write the keys: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (password === null) {
    io.err(`${files.secret} is not encrypted: whoever reads it can sign; keep it to yourself\n`);
  }
  io.out(`${files.secret}\n${files.public}\n`);
  io.err(`key ${pair.keyId}; give ${files.public} to those who verify\n`);
}

/** Signs a package; prints the path of the signature. */
export async function signCommand(
  io: Io,
  file: string,
  options: { key: string; passwordFile: string | null },
): Promise<void> {
  const secretKey = await readSecretFile(options.key);
  const password = await keyPassword(io, options.passwordFile);
  const path = await signPackage(file, { secretKey, ...(password === null ? {} : { password }) });
  io.out(`${path}\n`);
}

async function keyPassword(io: Io, file: string | null): Promise<string | null> {
  return file === null ? io.env("HARNESS_SIGN_PASSWORD") ?? null : await readSecretFile(file);
}

async function refuseExisting(path: string): Promise<void> {
  const there = await Deno.stat(path).then(() => true, () => false);
  if (!there) return;
  throw new HarnessError(
    "already_exists",
    `Cannot write ${path}: it is there already, choose another --out (or --force, which destroys it)`,
  );
}

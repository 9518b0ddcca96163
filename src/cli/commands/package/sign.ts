/**
 * `package verify|keygen|sign`: declared here, done in signatures.ts.
 *
 * @module
 */
import type { Command } from "../../command_line/command.ts";
import { addHandler, type Context } from "../../context.ts";
import type { NamedFile } from "../../flags/flags.ts";

interface VerifyFlags {
  key?: string[];
  json?: boolean;
}

interface KeyFlags {
  json?: boolean;
  out?: string;
  force?: boolean;
  passwordFile?: string;
}

interface SignFlags {
  json?: boolean;
  key?: string;
  passwordFile?: string;
}

const PASSWORD_HELP = "file with the password of the key; or HARNESS_SIGN_PASSWORD";

/** Declares `package verify`. */
export function declareVerify(command: Command, context: Context): void {
  command.option("--key <file...>", "minisign public key that must have signed it")
    .option("--json", "machine-readable output");
  addHandler<VerifyFlags>(context, command, async (given, file = "") => {
    const { verifyCommand } = await import("./signatures.ts");
    await verifyCommand(context.io, file, {
      keys: (given.key ?? []).map(keyFile),
      json: given.json === true,
    });
  });
}

/** Declares `package keygen`. */
export function declareKeygen(command: Command, context: Context): void {
  command.option("--out <name>", "writes <name>.key and <name>.pub", { fallback: "harness" })
    .option("--force", "replace files that are there")
    .option("--password-file <file>", PASSWORD_HELP)
    .option("--json", "machine-readable output");
  addHandler<KeyFlags>(context, command, async (given) => {
    const { keygenCommand } = await import("./signatures.ts");
    await keygenCommand(context.io, {
      out: given.out ?? "harness",
      force: given.force === true,
      passwordFile: passwordFile(given),
      json: given.json === true,
    });
  });
}

/** Declares `package sign`. */
export function declareSign(command: Command, context: Context): void {
  command.option("--key <file>", "secret key of keygen or of minisign", { mandatory: true })
    .option("--password-file <file>", PASSWORD_HELP)
    .option("--json", "machine-readable output");
  addHandler<SignFlags>(context, command, async (given, file = "") => {
    const { signCommand } = await import("./signatures.ts");
    const key = keyFile(given.key ?? "");
    const json = given.json === true;
    await signCommand(context.io, file, { key, passwordFile: passwordFile(given), json });
  });
}

function keyFile(path: string): NamedFile {
  return { place: "--key", path };
}

function passwordFile({ passwordFile: path }: { passwordFile?: string }): NamedFile | null {
  return path === undefined ? null : { place: "--password-file", path };
}

/**
 * Tokens and secrets from files and the environment, never from arguments.
 *
 * @module
 */
import { HarnessError, messageOf } from "../errors.ts";
import { CLI_MAX_SECRET_BYTES } from "./cli_limits.ts";

/**
 * A token from a file or, where no file is named, from the text of an environment variable.
 *
 * @throws {HarnessError} `not_found` or `invalid_params`, without the content.
 */
export async function readToken(
  from: { file: string | null; text: string | undefined },
): Promise<string | null> {
  if (from.file === null) {
    return from.text === undefined ? null : checkedToken(from.text.trim(), "the environment");
  }
  return checkedToken((await readSecretFile(from.file)).trim(), from.file);
}

/** The text of a file with a secret, without the newline at its end. */
export async function readSecretFile(path: string): Promise<string> {
  let text: string;
  try {
    const info = await Deno.stat(path);
    if (info.size > CLI_MAX_SECRET_BYTES) {
      throw new HarnessError(
        "too_large",
        `Cannot read the secret in ${path}: it has ${info.size} bytes, at most ${CLI_MAX_SECRET_BYTES} are read`,
      );
    }
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof HarnessError) throw error;
    throw unreadable(path, error);
  }
  return text.replace(/\r?\n$/, "");
}

/** The error for a file that cannot be read: says why in words. */
export function unreadable(path: string, error: unknown): HarnessError {
  if (error instanceof Deno.errors.NotFound) {
    return new HarnessError("not_found", `Cannot read ${path}: there is no such file`, {
      cause: error,
    });
  }
  const why = error instanceof Deno.errors.PermissionDenied
    ? "permission denied, check its owner and mode"
    : messageOf(error);
  return new HarnessError("forbidden", `Cannot read ${path}: ${why}`, { cause: error });
}

function checkedToken(token: string, place: string): string {
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new HarnessError(
      "invalid_params",
      `Cannot use the token from ${place}: a token is one line of visible ASCII characters, at least one`,
    );
  }
  return token;
}

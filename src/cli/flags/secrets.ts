/**
 * Tokens and secrets from files and the environment, never from arguments.
 *
 * @module
 */
import { HarnessError, messageOf } from "../../errors.ts";
import { CLI_MAX_SECRET_BYTES } from "../limits.ts";
import type { NamedFile } from "./flags.ts";
import { filesError } from "../../util/file_issues.ts";
import { hasErrorCode } from "../../util/error_code.ts";
import { fileSize, readBytes } from "../../util/node/read_file.ts";

/**
 * A token from a file or, where no file is named, from the text of an environment variable.
 *
 * @throws {HarnessError} `not_found` or `invalid_params`, without the content.
 */
export async function readToken(
  from: { file: NamedFile | null; text: string | undefined },
): Promise<string | null> {
  if (from.file === null) {
    return from.text === undefined ? null : checkedToken(from.text.trim(), "the environment");
  }
  return checkedToken((await readSecretFile(from.file)).trim(), named(from.file));
}

/** The text of a file with a secret, without the newline at its end. */
export async function readSecretFile(file: NamedFile): Promise<string> {
  const { path } = file;
  let bytes: Uint8Array;
  try {
    const size = await fileSize(path);
    if (size > CLI_MAX_SECRET_BYTES) {
      throw new HarnessError(
        "too_large",
        `Cannot read ${
          named(file)
        }: it has ${size} bytes, at most ${CLI_MAX_SECRET_BYTES} are read`,
      );
    }
    bytes = await readBytes(path);
  } catch (error) {
    if (error instanceof HarnessError) throw error;
    throw unreadable(file, error);
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.replace(/\r?\n$/, "");
  } catch (cause) {
    throw new HarnessError(
      "invalid_params",
      `Cannot use ${named(file)}: it is not UTF-8 text; encode it, for example with base64`,
      { cause },
    );
  }
}

/** What all of `reads` return. @throws {HarnessError} One for all the files that failed, in their order. */
export async function allFiles<T>(reads: ReadonlyArray<Promise<T>>): Promise<T[]> {
  const results = await Promise.allSettled(reads);
  const errors = results.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
  const other = errors.find((error) => !(error instanceof HarnessError));
  if (other !== undefined) throw other;
  const [first, ...more] = errors as HarnessError[];
  if (first !== undefined) throw filesError([first, ...more]);
  return results.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
}

/** The text of a file that is named by a flag. */
export async function readNamedFile(file: NamedFile): Promise<string> {
  try {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await readBytes(file.path));
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** The error for a file that cannot be read: which flag named it, and why in words. */
export function unreadable(file: NamedFile, error: unknown): HarnessError {
  const [code, why] = hasErrorCode(error, "ENOENT")
    ? ["not_found", "there is no such file, correct the path"] as const
    : hasErrorCode(error, "EACCES", "EPERM")
    ? ["forbidden", "permission denied, check its owner and mode"] as const
    : hasErrorCode(error, "EISDIR")
    ? ["forbidden", "it is a directory, name a file"] as const
    : ["forbidden", messageOf(error)] as const;
  return new HarnessError(code, `Cannot read ${named(file)}: ${why}`, { cause: error });
}

/** A file in a sentence: where it was named, and its path. */
export function named({ place, path }: NamedFile): string {
  return `${place} ${path}`;
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

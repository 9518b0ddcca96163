/**
 * Text files of the command line: one error for all that is wrong in a file, with lines.
 *
 * @module
 */
import type { HarnessError } from "../../errors.ts";
import { nearestName } from "../../util/did_you_mean.ts";
import { fileError, type FileIssue } from "../../util/file_issues.ts";

/** Keys that are listed for a key that is like none of them. */
const MAX_LISTED_KEYS = 20;

/** A file in messages and details. */
export interface TextFile {
  /** What names it in a message, such as `--tokens-file`. */
  readonly place: string;
  /** Its path. */
  readonly path: string;
  /** `details.reason` of its errors. */
  readonly reason: "config_file" | "env_file" | "hosts_file" | "tokens_file";
}

/** The error for a file with mistakes, in the order of its lines. */
export function unusable(
  { place, path, reason }: TextFile,
  issues: readonly FileIssue[],
): HarnessError {
  // A line of the tokens file could hold a token that was written there by mistake.
  const shown = reason === "tokens_file" ? issues.map(({ excerpt: _, ...rest }) => rest) : issues;
  const failure = `Cannot use ${place}`;
  return fileError({ code: "invalid_params", failure, file: path, reason }, shown);
}

/** What is wrong with a key that is not one of `known`. */
export function unknownKey(key: string, known: readonly string[]): string {
  const close = nearestName(key, known);
  const allowed = known.length > MAX_LISTED_KEYS ? "" : `; allowed: ${known.join(", ")}`;
  const hint = close === null ? allowed : `, did you mean "${close}"?`;
  return `unknown key ${JSON.stringify(key.slice(0, 64))}${hint}`;
}

/**
 * `package_invalid` errors and their closed list of reasons.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";

/** `details.reason` of every `package_invalid` error; docs/package-format.md explains each. */
export type InvalidReason =
  | "absolute_path"
  | "bad_gzip"
  | "bad_header"
  | "bad_name"
  | "bad_path"
  | "bad_signature"
  | "bad_size"
  | "case_collision"
  | "changed_while_reading"
  | "device"
  | "duplicate_entry"
  | "fifo"
  | "file_missing"
  | "gzip_bomb"
  | "hard_link"
  | "link_escapes"
  | "manifest"
  | "manifest_missing"
  | "not_a_directory"
  | "not_in_sums"
  | "path_traversal"
  | "script_line_ends"
  | "script_missing"
  | "script_shebang"
  | "setuid"
  | "sums_malformed"
  | "sums_mismatch"
  | "sums_missing"
  | "too_large"
  | "too_many_entries"
  | "trailing_data"
  | "truncated"
  | "unknown_key"
  | "unsigned"
  | "unsupported_entry"
  | "unsupported_extension";

/**
 * A `package_invalid` error.
 *
 * @param reason The stable reason.
 * @param message The problem and the remedy, after "Cannot accept the package: ".
 * @param details Further details, such as the entry's path.
 */
export function invalid(
  reason: InvalidReason,
  message: string,
  details: Record<string, unknown> = {},
): HarnessError {
  return new HarnessError("package_invalid", `Cannot accept the package: ${message}`, {
    details: { reason, ...details },
  });
}

/** A path for a message: quoted, control characters escaped, cut to a length. */
export function shown(path: string): string {
  const text = JSON.stringify(path);
  return text.length <= 200 ? text : `${text.slice(0, 200)}…"`;
}

/**
 * `SHA256SUMS`, in the format of `sha256sum`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { SUMS_PATH } from "./contents.ts";
import type { EntryTable } from "./archive/entry_table.ts";
import { invalid, shown } from "./errors.ts";

/** Compares paths by their bytes, as `LC_ALL=C sort`. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The text of `SHA256SUMS` for the files of `table`. */
export function formatSums(table: EntryTable): string {
  return table.entries
    .filter((entry) => entry.type === "file" && entry.path !== SUMS_PATH)
    .toSorted((a, b) => compareBytes(a.path, b.path))
    .map((entry) => `${entry.sha256}  ${entry.path}\n`)
    .join("");
}

/**
 * Checks that `text` lists every file of `table` with the right digest, and nothing else.
 *
 * @throws {HarnessError} `package_invalid`.
 */
export function checkSums(table: EntryTable, text: string): void {
  const listed = parseSums(text);
  for (const [path, digest] of listed) {
    const file = table.get(path);
    if (file?.type !== "file") {
      throw invalid("file_missing", `${shown(path)} is in SHA256SUMS and no file of the package`, {
        path,
      });
    }
    if (file.sha256 !== digest) {
      throw invalid(
        "sums_mismatch",
        `${shown(path)} has the SHA-256 ${file.sha256}, not ${digest} as in SHA256SUMS`,
        { path },
      );
    }
  }
  for (const { path, type } of table.entries) {
    if (type === "file" && path !== SUMS_PATH && !listed.has(path)) {
      throw invalid("not_in_sums", `${shown(path)} is not listed in SHA256SUMS`, { path });
    }
  }
}

function parseSums(text: string): Map<string, string> {
  const sums = new Map<string, string>();
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  lines.forEach((line, index) => {
    // A line with a CR is invalid and not matched: the pattern would backtrack at each "./".
    const [, digest, name] = line.includes("\r")
      ? []
      : /^([0-9a-f]{64}) [ *](?:\.\/)*(.+)$/s.exec(line) ?? [];
    if (digest === undefined || name === undefined || sums.has(name)) {
      const why = name !== undefined && sums.has(name) ? "names a file twice" : "is not a checksum";
      throw invalid("sums_malformed", `line ${index + 1} of SHA256SUMS ${why}`, {
        line: index + 1,
      });
    }
    sums.set(name, digest);
  });
  return sums;
}

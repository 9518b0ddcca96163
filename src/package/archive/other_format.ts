/**
 * Recognises what people pack by mistake, by its first bytes.
 *
 * @module
 */
import { MAGIC } from "./tar_header.ts";

/** Bytes by which {@linkcode otherFormat} tells. */
export const FORMAT_BYTES = MAGIC[0] + "ustar".length;

/** First bytes as Latin-1, and what begins with them. */
const BEGINNINGS: ReadonlyArray<readonly [beginning: string, what: string]> = [
  ["\xfd7zXZ\0", "an xz file"],
  ["\x28\xb5\x2f\xfd", "a zstd file"],
  ["BZh", "a bzip2 file"],
  ["PK\x03\x04", "a zip file"],
  ["PK\x05\x06", "a zip file"],
  ["PK\x07\x08", "a zip file"],
  ["7z\xbc\xaf\x27\x1c", "a 7z file"],
  ["\x04\x22\x4d\x18", "an lz4 file"],
  ["LZIP", "an lzip file"],
  ["\x1f\x9d", "a file of compress"],
  ["<", "a web page or XML, perhaps of a download that failed"],
];

/** What a file is that begins with `head` and is no gzip, with an article; `null` where that is not known. */
export function otherFormat(head: Uint8Array): string | null {
  const text = String.fromCharCode(...head.subarray(0, FORMAT_BYTES));
  if (text.startsWith("ustar", MAGIC[0])) return "a tar file that is not compressed";
  return BEGINNINGS.find(([beginning]) => text.startsWith(beginning))?.[1] ?? null;
}

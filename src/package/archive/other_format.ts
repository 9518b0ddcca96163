/**
 * Recognises what people pack by mistake, by its first bytes.
 *
 * @module
 */

/** Bytes by which {@linkcode otherFormat} tells. */
export const FORMAT_BYTES = 262;

/** First bytes as Latin-1, and what begins with them. */
const BEGINNINGS: ReadonlyArray<readonly [beginning: string, what: string]> = [
  ["\xfd7zXZ\0", "an xz file"],
  ["\x28\xb5\x2f\xfd", "a zstd file"],
  ["BZh", "a bzip2 file"],
  ["PK", "a zip file"],
  ["7z\xbc\xaf\x27\x1c", "a 7z file"],
  ["\x04\x22\x4d\x18", "an lz4 file"],
  ["LZIP", "an lzip file"],
  ["\x1f\x9d", "a file of compress"],
  ["<", "a web page or XML, perhaps of a download that failed"],
];
/** Where a tar file says so. */
const USTAR = [257, "ustar"] as const;

/** What a file is that begins with `head` and is no gzip, with an article; `null` where that is not known. */
export function otherFormat(head: Uint8Array): string | null {
  const text = String.fromCharCode(...head.subarray(0, FORMAT_BYTES));
  const [at, mark] = USTAR;
  if (text.startsWith(mark, at)) return "a tar file that is not compressed";
  return BEGINNINGS.find(([beginning]) => text.startsWith(beginning))?.[1] ?? null;
}

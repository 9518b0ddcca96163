/**
 * CRC-32 (IEEE 802.3), as zlib and gzip have it.
 *
 * @module
 */
import * as zlib from "node:zlib";

/**
 * The CRC-32 of text (as UTF-8) or bytes; of more than one part with the value of those before.
 *
 * `zlib.crc32` by another name: the Node types that come with `@types/ssh2` are older than the function,
 * and a program's graph has one version of them.
 */
export const crc32: (data: string | Uint8Array, before?: number) => number =
  (zlib as unknown as { crc32: (data: string | Uint8Array, before?: number) => number }).crc32;

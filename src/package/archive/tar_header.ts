/**
 * Strict parser of one 512-byte tar header.
 *
 * Programs disagree about edge cases of tar files: bytes after a NUL, odd numbers, old formats. A header must mean the same
 * to whichever `tar` unpacks it later, so anything ambiguous is refused.
 *
 * @module
 */
import { invalid, type InvalidReason, shown } from "../errors.ts";

/** Bytes of a header, and of the blocks in which bodies are stored. */
export const BLOCK_BYTES = 512;

/** Largest size in octal digits; a larger one is in a PAX header only. */
export const MAX_OCTAL_SIZE: number = 8 ** 11 - 1;

/** A header's fields. */
export interface TarHeader {
  /** Type flag as a character; `"0"` for a file. */
  flag: string;
  /** Name as stored, prefix included. */
  name: string;
  /** Target of a link as stored. */
  linkName: string;
  /** Bytes of the body. */
  size: number;
  /** Permission bits. */
  mode: number;
}

/** Why a sparse file is refused, after its name. */
export const SPARSE = "is a sparse file: pack it without tar's --sparse, or with package build";

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Field positions of the ustar format: offset and length. */
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  linkName: [157, 100],
  prefix: [345, 155],
} as const;
const FLAG_OFFSET = 156;
const SPARSE_FLAG = "S".charCodeAt(0);
/** Where `ustar` is in it, whichever of the two formats it has. */
export const MAGIC = [257, 8] as const;

/**
 * Reads a header block that is not all zeros.
 *
 * @throws {HarnessError} `package_invalid`
 */
export function readHeader(block: Uint8Array): TarHeader {
  checkSum(block);
  const magic = String.fromCharCode(...slice(block, MAGIC));
  const posix = magic === "ustar\x0000";
  if (!posix && magic !== "ustar  \0") {
    throw invalid("bad_header", "a tar header is neither in ustar nor in GNU format");
  }
  const name = readText(block, FIELD.name);
  const code = block[FLAG_OFFSET] ?? 0;
  // Before the prefix, where GNU format keeps the map of the file's holes.
  if (code === SPARSE_FLAG) throw invalid("unsupported_entry", `${shown(name)} ${SPARSE}`);
  const prefix = readText(block, FIELD.prefix);
  if (prefix !== "" && !posix) {
    throw invalid("bad_header", `${shown(name)} has a prefix, which GNU format has not`);
  }
  // Not used, but another program may fail on them.
  for (const field of [FIELD.uid, FIELD.gid, FIELD.mtime]) readNumber(block, field, name);
  return {
    flag: code === 0 ? "0" : String.fromCharCode(code),
    name: prefix === "" ? name : `${prefix}/${name}`,
    linkName: readText(block, FIELD.linkName),
    size: readNumber(block, FIELD.size, name),
    mode: readNumber(block, FIELD.mode, name),
  };
}

/** Whether a block is all zeros: the end mark. */
export function isZero(block: Uint8Array): boolean {
  for (let i = 0; i < block.length; i++) if (block[i] !== 0) return false;
  return true;
}

/** Decodes text that must be UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    const error = invalid("bad_path", "a name in it is not UTF-8");
    error.cause = cause;
    throw error;
  }
}

function slice(block: Uint8Array, [offset, length]: readonly [number, number]): Uint8Array {
  return block.subarray(offset, offset + length);
}

function checkSum(block: Uint8Array): void {
  const stored = readOctal(slice(block, FIELD.checksum));
  const [start, length] = FIELD.checksum;
  // In the sum, its own field counts as spaces.
  let sum = length * 0x20;
  for (let i = 0; i < start; i++) sum += block[i] ?? 0;
  for (let i = start + length; i < BLOCK_BYTES; i++) sum += block[i] ?? 0;
  if (stored !== sum) throw invalid("bad_header", "a tar header's checksum is wrong");
}

function readText(block: Uint8Array, field: readonly [number, number]): string {
  const bytes = slice(block, field);
  if (isZero(bytes)) return "";
  const end = bytes.indexOf(0);
  if (end === -1) return decodeText(bytes);
  if (!isZero(bytes.subarray(end))) {
    throw invalid("bad_path", "a name in it has a NUL character");
  }
  return decodeText(bytes.subarray(0, end));
}

function readNumber(block: Uint8Array, field: readonly [number, number], name: string): number {
  const bytes = slice(block, field);
  const reason: InvalidReason = field === FIELD.size ? "bad_size" : "bad_header";
  const refuse = () => invalid(reason, `${shown(name)} has a number that is negative or invalid`);
  if (((bytes[0] ?? 0) & 0x80) === 0) {
    const value = readOctal(bytes);
    if (value === null) throw refuse();
    return value;
  }
  // GNU's form for numbers too large for octal digits: big-endian two's complement after a mark.
  if (bytes[0] !== 0x80) throw refuse();
  const value = bytes.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
  if (!Number.isSafeInteger(value)) throw refuse();
  // Nobody writes a small size like that, and not every tar reads it.
  if (field === FIELD.size && value <= MAX_OCTAL_SIZE) throw refuse();
  return value;
}

/** Octal digits between spaces, ended by a space or NUL; an empty field is 0. */
function readOctal(bytes: Uint8Array): number | null {
  let at = 0;
  while (bytes[at] === 0x20) at++;
  let value = 0;
  for (let byte = bytes[at]; byte !== undefined && byte >= 0x30 && byte <= 0x37; byte = bytes[at]) {
    value = value * 8 + byte - 0x30;
    at++;
  }
  for (; at < bytes.length; at++) if (bytes[at] !== 0x20 && bytes[at] !== 0) return null;
  return value;
}

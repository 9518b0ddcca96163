/**
 * JSON files that carry their own checksum, for snapshots and documents.
 *
 * One line of the file is `  "checksum": "sha256:<hex>",`. The sum is that of the whole file without this
 * line, so `grep -v '^  "checksum"' file | sha256sum` recomputes it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

const START = '\n  "checksum": "sha256:';
const HEX_LENGTH = 64;
/** The checksum's line is near the top: no more is searched. */
const SEARCH_BYTES = 4096;

/** The checksum of such a file: of its bytes in order, without the checksum's line. */
export class Checksum {
  readonly #hash = createHash("sha256");

  /** Begins with `head`, which ends with a newline: the checksum's line follows it. */
  constructor(head: string) {
    this.#hash.update(head);
  }

  /** Adds what comes after the checksum's line. */
  add(part: string | Buffer): this {
    this.#hash.update(part);
    return this;
  }

  /** The checksum's line. */
  line(): string {
    return `${START.slice(1)}${this.#hash.digest("hex")}",\n`;
  }
}

/** Why the checksum of a file is wrong, or `null` when it matches. */
export function checksumProblem(file: Uint8Array): string | null {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length === 0) return "it is empty";
  const found = bytes.subarray(0, SEARCH_BYTES).indexOf(START);
  if (found < 0) return "it has no checksum";
  const line = found + 1;
  const hexAt = found + START.length;
  const end = hexAt + HEX_LENGTH + 3;
  if (bytes.toString("latin1", end - 3, end) !== '",\n') return "its checksum is malformed";
  const hash = createHash("sha256").update(bytes.subarray(0, line)).update(bytes.subarray(end));
  const right = hash.digest("hex") === bytes.toString("latin1", hexAt, hexAt + HEX_LENGTH);
  return right ? null : "its checksum does not match";
}

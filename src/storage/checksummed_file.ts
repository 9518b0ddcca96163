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

/** Builds such a file from the parts before and after the checksum's line. */
export class ChecksummedFile {
  readonly #hash = createHash("sha256");
  readonly #head: Buffer;
  readonly #chunks: Buffer[] = [];

  /** Begins a file; `head` ends with a newline, and the checksum's line follows it. */
  constructor(head: string) {
    this.#head = Buffer.from(head);
    this.#hash.update(this.#head);
  }

  /** Adds text after the checksum's line. */
  add(text: string): void {
    const chunk = Buffer.from(text);
    this.#hash.update(chunk);
    this.#chunks.push(chunk);
  }

  /** The whole file. */
  finish(): Buffer[] {
    const line = `${START.slice(1)}${this.#hash.digest("hex")}",\n`;
    return [this.#head, Buffer.from(line), ...this.#chunks];
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

/**
 * Joins the parts of a large answer in pieces of work, and bounds it.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { MAX_ANSWER_BYTES, TURN_PIECE_MS } from "../limits.ts";

/** Joins texts by commas; tells when a piece of work has taken its time. */
export class Joiner {
  #parts: string[] = [];
  #chunks: string[] = [];
  #length = 0;
  #chunkLength = 0;
  #pieceEnd = performance.now() + TURN_PIECE_MS;
  #count = 0;

  /** Characters so far. */
  get length(): number {
    return this.#length;
  }

  /** Adds a part. @throws {HarnessError} `too_large`. */
  add(text: string): void {
    this.#parts.push(text);
    this.#length += text.length + 1;
    this.#chunkLength += text.length + 1;
    if (this.#length > MAX_ANSWER_BYTES) throw tooLarge();
    if (this.#chunkLength > 128 * 1024) this.#joinChunk();
  }

  /** Whether the current piece of work has taken its time. */
  get due(): boolean {
    if (this.#chunkLength > 0 && ++this.#count % 16 !== 0) return false;
    if (performance.now() < this.#pieceEnd) return false;
    this.#pieceEnd = Infinity;
    return true;
  }

  /** Starts a new piece. */
  begin(): void {
    this.#pieceEnd = performance.now() + TURN_PIECE_MS;
  }

  /** The parts, joined. */
  finish(): string {
    this.#joinChunk();
    return this.#chunks.join(",");
  }

  #joinChunk(): void {
    if (this.#parts.length > 0) this.#chunks.push(this.#parts.join(","));
    this.#parts = [];
    this.#chunkLength = 0;
  }
}

/** The text. @throws {HarnessError} `too_large`. */
export function bounded(text: string): string {
  if (text.length > MAX_ANSWER_BYTES) throw tooLarge();
  return text;
}

function tooLarge(): HarnessError {
  return new HarnessError(
    "too_large",
    `Cannot send the answer: it exceeds ${MAX_ANSWER_BYTES} bytes; use a page limit or a filter`,
    { details: { max_answer_bytes: MAX_ANSWER_BYTES } },
  );
}

/**
 * What a command prints: keeps the end of it, within a bound.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { MAX_LOGIN_NOISE_BYTES } from "./limits.ts";

/** Keeps the last `maxBytes` of what is pushed. */
export class Tail {
  readonly #maxBytes: number;
  #chunks: Uint8Array[] = [];
  #size = 0;
  #truncated = false;

  /** Keeps at most `maxBytes`. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether something was dropped. */
  get truncated(): boolean {
    return this.#truncated;
  }

  /** Adds a chunk and drops what is now too much at the beginning. */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    // Whole chunks are dropped now, and the part of one in text(): no copying on the way.
    let first = this.#chunks[0];
    while (first !== undefined && this.#size - first.length >= this.#maxBytes) {
      this.#chunks.shift();
      this.#size -= first.length;
      if (first.length > 0) this.#truncated = true;
      first = this.#chunks[0];
    }
    if (this.#size > this.#maxBytes) this.#truncated = true;
  }

  /** What was kept, as text. A character cut in two at the beginning is left out. */
  text(): string {
    let bytes = Buffer.concat(this.#chunks);
    if (bytes.length > this.#maxBytes) bytes = bytes.subarray(bytes.length - this.#maxBytes);
    if (this.#truncated) {
      let skip = 0;
      while (skip < 3 && ((bytes[skip] ?? 0) & 0xc0) === 0x80) skip += 1;
      bytes = bytes.subarray(skip);
    }
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  }
}

/** What a session announced about itself. */
export interface Announcement {
  /** Process id of the command. */
  pid: number;
  /** Whether it leads a process group of its own. */
  ownGroup: boolean;
}

/**
 * Finds the line `<nonce> <pid> <0|1>` in a stream, takes it out together with everything that a login
 * shell's start-up files printed before it, and passes on what follows.
 */
export class AnnouncementFilter {
  readonly #nonce: string;
  readonly #sink: (chunk: Uint8Array) => void;
  readonly #found: (announcement: Announcement) => void;
  #held: Buffer | null = Buffer.alloc(0);

  /** Passes what follows the line to `sink`, and what the line says to `found`. */
  constructor(
    nonce: string,
    sink: (chunk: Uint8Array) => void,
    found: (announcement: Announcement) => void,
  ) {
    this.#nonce = nonce;
    this.#sink = sink;
    this.#found = found;
  }

  /** Takes the next chunk. */
  push(chunk: Uint8Array): void {
    if (this.#held === null) return this.#sink(chunk);
    const held = Buffer.concat([this.#held, chunk]);
    const start = held.indexOf(`${this.#nonce} `);
    const end = start < 0 ? -1 : held.indexOf("\n", start);
    if (end >= 0) {
      this.#held = null;
      const words = held.subarray(start, end).toString("latin1").split(" ");
      const pid = Number(words[1]);
      // Group 0 is our own and group -1 is everybody: no such number is ever passed to kill.
      if (Number.isSafeInteger(pid) && pid > 1) this.#found({ pid, ownGroup: words[2] === "1" });
      if (end + 1 < held.length) this.#sink(held.subarray(end + 1));
      return;
    }
    // Too much noise: the oldest of it goes, never what may be the beginning of the line.
    const excess = Math.max(0, held.length - MAX_LOGIN_NOISE_BYTES);
    this.#held = held.subarray(excess);
  }

  /** At the end of the stream: without a line it all was output, such as a refusal of the login shell. */
  end(): void {
    if (this.#held !== null && this.#held.length > 0) this.#sink(this.#held);
    this.#held = null;
  }
}

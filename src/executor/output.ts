/**
 * Output of a command: the bounded tail, and the announcement line of an SSH session.
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

  /** Adds a chunk and drops the excess at the beginning. */
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

  /** The kept bytes as text, without a character cut in two at the beginning. */
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

/** The process that a session announced. */
export interface Announcement {
  /** Process id of the command. */
  pid: number;
  /** Whether it leads a process group of its own. */
  ownGroup: boolean;
}

/**
 * Removes the line `<nonce> <pid> <0|1>` from a stream, with everything that start-up files of the login shell printed
 * before it, and passes on the rest.
 */
export class AnnouncementFilter {
  readonly #nonce: string;
  readonly #sink: (chunk: Uint8Array) => void;
  readonly #found: (announcement: Announcement) => void;
  #held: Buffer | null = Buffer.alloc(0);

  /** Passes the rest of the stream to `sink` and the announcement to `found`. */
  constructor(
    nonce: string,
    sink: (chunk: Uint8Array) => void,
    found: (announcement: Announcement) => void,
  ) {
    this.#nonce = nonce;
    this.#sink = sink;
    this.#found = found;
  }

  /** Adds the next chunk. */
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
    // Too much noise: drop the oldest of it, never what may be the beginning of the line.
    const excess = Math.max(0, held.length - MAX_LOGIN_NOISE_BYTES);
    this.#held = held.subarray(excess);
  }

  /** At the end of the stream. Without an announcement all of it was output, such as a refusal of the login shell. */
  end(): void {
    if (this.#held !== null && this.#held.length > 0) this.#sink(this.#held);
    this.#held = null;
  }
}

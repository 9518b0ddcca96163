/**
 * Digests of the beginnings of a file, by which its bytes are recognised while they are read again: what was inspected
 * once can be passed on before the last of it has been read.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { MAX_OCTAL_SIZE } from "./archive/tar_header.ts";

/** There is a digest for each beginning that is a multiple of this. */
const BLOCK_BYTES = 1024 * 1024;
const DIGEST_BYTES = 32;
/** Most bytes that are passed on at once. */
const PIECE_BYTES = 128 * 1024;

/** Bytes that were inspected, as they are recognised. */
export interface InspectedBytes {
  /** SHA-256 of all, hex. */
  readonly sha256: string;
  /** Number of bytes. */
  readonly size: number;
  /** The SHA-256 of the first MiB, of the first two, and so on, 32 bytes each. */
  readonly prefixes: Uint8Array;
}

/**
 * The prefixes of a package by which a host may unpack it unseen: `undefined` where it may have a file that is too large
 * for the numbers of a tar header. There, and nowhere else, programs differ on what the reader accepts.
 */
export function prefixesOf(
  packed: Pick<InspectedBytes, "prefixes">,
  unpackedBytes: number,
): Uint8Array | undefined {
  return unpackedBytes <= MAX_OCTAL_SIZE ? packed.prefixes : undefined;
}

/** SHA-256, and that of the beginnings on the way. */
export class PrefixHash {
  readonly #hash = createHash("sha256");
  readonly #digests: Buffer[] = [];
  #size = 0;

  /** Adds bytes. */
  update(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      const end = Math.min(chunk.length, at + BLOCK_BYTES - this.#size % BLOCK_BYTES);
      this.#hash.update(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
      this.#size += end - at;
      at = end;
      if (this.#size % BLOCK_BYTES === 0) this.#digests.push(this.#hash.copy().digest());
    }
  }

  /** The last of the digests so far. */
  get lastPrefix(): Uint8Array | undefined {
    return this.#digests.at(-1);
  }

  /** Ends it. */
  finish(): InspectedBytes {
    return {
      sha256: this.#hash.digest("hex"),
      size: this.#size,
      prefixes: new Uint8Array(Buffer.concat(this.#digests)),
    };
  }
}

/**
 * Passes bytes on if they are those that were inspected: it fails with `changed()` before it passes on any other.
 */
export function onlyInspected(
  source: ReadableStream<Uint8Array>,
  known: InspectedBytes,
  changed: () => Error,
): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  const checked = checkedChunks(reader, known, changed);
  let chunk: Uint8Array = new Uint8Array();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      while (chunk.length === 0) {
        const next = await checked.next();
        if (next.done) return controller.close();
        chunk = next.value;
      }
      controller.enqueue(chunk.subarray(0, PIECE_BYTES));
      chunk = chunk.subarray(PIECE_BYTES);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

/** The chunks, a block at a time: none of it before the digest of its beginning is the known one. */
async function* checkedChunks(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { sha256, size, prefixes }: InspectedBytes,
  changed: () => Error,
): AsyncGenerator<Uint8Array, undefined> {
  const hash = new PrefixHash();
  let rest: Uint8Array = new Uint8Array();
  for (let at = 0; at < size; at += BLOCK_BYTES) {
    const chunks: Uint8Array[] = [];
    for (let left = Math.min(BLOCK_BYTES, size - at); left > 0;) {
      if (rest.length === 0) {
        const { value, done } = await reader.read();
        if (done) throw changed();
        rest = value;
      }
      const chunk = rest.subarray(0, left);
      rest = rest.subarray(chunk.length);
      left -= chunk.length;
      hash.update(chunk);
      if (chunk.length > 0) chunks.push(chunk);
    }
    if (size - at < BLOCK_BYTES) {
      if (hash.finish().sha256 !== sha256) throw changed();
    } else {
      const start = at / BLOCK_BYTES * DIGEST_BYTES;
      const prefix = prefixes.subarray(start, start + DIGEST_BYTES);
      if (Buffer.compare(prefix, hash.lastPrefix ?? new Uint8Array()) !== 0) throw changed();
    }
    yield* chunks;
  }
  if (rest.length > 0 || !(await reader.read()).done) throw changed();
}

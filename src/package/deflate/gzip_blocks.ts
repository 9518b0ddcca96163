/**
 * Packs bytes to a gzip file in blocks, on all cores. The file depends on the bytes alone: not on the runtime, the number
 * of cores, or how the bytes are cut into chunks.
 *
 * @module
 */
import * as zlib from "node:zlib";
import { BLOCK_BYTES, STREAM_END } from "./block_deflate.ts";
import type { DeflatePool } from "./deflate_pool.ts";

/** The types of Node 18, which another package brings, do not know it. */
const { crc32 } = zlib as unknown as { crc32(bytes: Uint8Array, before: number): number };

/** A gzip header without time and name, as of Unix. */
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3);

/** The gzip file of `chunks`. */
export async function* gzipBlocks(
  chunks: AsyncIterable<Uint8Array>,
  pool: DeflatePool,
): AsyncGenerator<Uint8Array> {
  const pending: Array<Promise<Uint8Array>> = [];
  let crc = 0;
  let bytes = 0;
  yield HEADER;
  for await (const block of blocksOf(chunks)) {
    const packed = pool.deflate(block);
    // Awaited in its turn, unless another one fails before.
    packed.catch(() => {});
    pending.push(packed);
    crc = crc32(block, crc);
    bytes += block.byteLength;
    if (pending.length >= pool.mostBlocks) yield await (pending.shift() as Promise<Uint8Array>);
  }
  for (const packed of pending) yield await packed;
  yield STREAM_END;
  const trailer = new DataView(new ArrayBuffer(8));
  trailer.setUint32(0, crc, true);
  trailer.setUint32(4, bytes % 2 ** 32, true);
  yield new Uint8Array(trailer.buffer);
}

/** The same bytes in blocks of {@linkcode BLOCK_BYTES}, each in memory of its own. */
async function* blocksOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let block = new Uint8Array(BLOCK_BYTES);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength;) {
      const part = chunk.subarray(at, at + BLOCK_BYTES - filled);
      block.set(part, filled);
      filled += part.byteLength;
      at += part.byteLength;
      if (filled < BLOCK_BYTES) continue;
      yield block;
      block = new Uint8Array(BLOCK_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

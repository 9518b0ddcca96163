/**
 * AES in counter mode, made of Deno's ECB mode.
 *
 * Deno's `aes-128-ctr` does 350 MB/s and its `aes-128-ecb` 1,200; the key stream of counter mode is the counters,
 * encrypted each by itself.
 *
 * Upstream: Deno's node:crypto, no issue known.
 * Remove when: `aes-128-ctr` is as fast.
 *
 * @module
 */
import { createCipheriv } from "node:crypto";

const BLOCK_BYTES = 16;
/** Counters that are encrypted at once: 32 KiB, the data of a packet. */
const BATCH_BLOCKS = 2048;
const TWO_32 = 2 ** 32;

/** CTR mode. */
export class CounterMode {
  readonly #ecb: ReturnType<typeof createCipheriv>;
  /** The counters that are encrypted next: but for their last 32 bits they are alike. */
  readonly #batch = new DataView(new ArrayBuffer(BATCH_BLOCKS * BLOCK_BYTES));
  /** The last 32 bits of the next counter. */
  #low: number;

  /** `bits` of the key, and the first counter. */
  constructor(bits: string, key: Uint8Array, iv: Uint8Array) {
    this.#ecb = createCipheriv(`aes-${bits}-ecb`, key, null).setAutoPadding(false);
    this.#low = new DataView(iv.buffer, iv.byteOffset).getUint32(12);
    this.#begin(iv.subarray(0, 12));
  }

  /** Sets all but the last 32 bits of the counters. */
  #begin(high: Uint8Array): void {
    const batch = new Uint8Array(this.#batch.buffer);
    for (let at = 0; at < batch.length; at += BLOCK_BYTES) batch.set(high, at);
  }

  /** Encrypts whole blocks in their place; `length` and `at`, the place in `buffer`, are multiples of 4. */
  encrypt(buffer: ArrayBuffer, at: number, length: number): void {
    for (let done = 0; done < length;) {
      const count = Math.min(BATCH_BLOCKS, (length - done) / BLOCK_BYTES, TWO_32 - this.#low);
      const stream = this.#ecb.update(this.#counters(count));
      const text = new Uint32Array(buffer, at + done, count * 4);
      const key = stream.byteOffset % 4 === 0
        ? new Uint32Array(stream.buffer, stream.byteOffset, count * 4)
        : new Uint32Array(new Uint8Array(stream).buffer);
      for (let word = 0; word < text.length; word++) {
        text[word] = (text[word] as number) ^ (key[word] as number);
      }
      done += count * BLOCK_BYTES;
      if (this.#low === 0) this.#carry();
    }
  }

  #counters(count: number): Uint8Array {
    const [batch, low] = [this.#batch, this.#low];
    for (let block = 0; block < count; block++) {
      batch.setUint32(block * BLOCK_BYTES + 12, low + block);
    }
    const counters = new Uint8Array(batch.buffer, 0, count * BLOCK_BYTES);
    this.#low = (low + count) % TWO_32;
    return counters;
  }

  /** Carries one into all but the last 32 bits. */
  #carry(): void {
    const high = new Uint8Array(this.#batch.buffer, 0, 12).slice();
    for (let at = 11; at >= 0; at--) {
      high[at] = (high[at] as number) + 1;
      if (high[at] !== 0) break;
    }
    this.#begin(high);
  }

  /** Deno keeps a cipher until this is called. */
  free(): void {
    this.#ecb.final();
  }
}

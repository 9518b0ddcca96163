/**
 * BLAKE2b (RFC 7693) with a chosen length, for the 32-byte checksums inside minisign's secret keys.
 *
 * `node:crypto` has only the 64-byte form, which is what the files themselves are hashed with.
 *
 * @module
 */

const MASK = 0xffff_ffff_ffff_ffffn;
const BLOCK_BYTES = 128;
const IV: readonly bigint[] = [
  0x6a09e667f3bcc908n,
  0xbb67ae8584caa73bn,
  0x3c6ef372fe94f82bn,
  0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n,
  0x9b05688c2b3e6c1fn,
  0x1f83d9abfb41bd6bn,
  0x5be0cd19137e2179n,
];
const SIGMA: readonly (readonly number[])[] = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];
/** The four columns and four diagonals that a round mixes. */
const LANES: readonly (readonly [number, number, number, number])[] = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
];

/** The BLAKE2b digest of `data`, `length` (1 to 64) bytes long. */
export function blake2b(data: Uint8Array, length: number): Uint8Array {
  const state = BigUint64Array.from(IV);
  state[0] = (state[0] ?? 0n) ^ BigInt(0x0101_0000 ^ length);
  const blocks = Math.max(1, Math.ceil(data.length / BLOCK_BYTES));
  for (let i = 0; i < blocks; i++) {
    const block = new Uint8Array(BLOCK_BYTES);
    block.set(data.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES));
    const last = i === blocks - 1;
    compress(state, block, { counted: last ? data.length : (i + 1) * BLOCK_BYTES, last });
  }
  const out = new DataView(new ArrayBuffer(64));
  state.forEach((word, i) => out.setBigUint64(i * 8, word, true));
  return new Uint8Array(out.buffer).slice(0, length);
}

function compress(
  state: BigUint64Array,
  block: Uint8Array,
  { counted, last }: { counted: number; last: boolean },
): void {
  const view = new DataView(block.buffer);
  const message = Array.from({ length: 16 }, (_, i) => view.getBigUint64(i * 8, true));
  const v = [...state, ...IV];
  const at = (i: number) => v[i] ?? 0n;
  v[12] = at(12) ^ BigInt(counted);
  if (last) v[14] = at(14) ^ MASK;
  for (let round = 0; round < 12; round++) {
    const order = SIGMA[round % 10] ?? [];
    LANES.forEach(([a, b, c, d], lane) => {
      for (const [word, turn, turn2] of [[0, 32n, 24n], [1, 16n, 63n]] as const) {
        const input = message[order[2 * lane + word] ?? 0] ?? 0n;
        v[a] = (at(a) + at(b) + input) & MASK;
        v[d] = rotate(at(d) ^ at(a), turn);
        v[c] = (at(c) + at(d)) & MASK;
        v[b] = rotate(at(b) ^ at(c), turn2);
      }
    });
  }
  state.forEach((word, i) => state[i] = word ^ at(i) ^ at(i + 8));
}

function rotate(word: bigint, bits: bigint): bigint {
  return ((word >> bits) | (word << (64n - bits))) & MASK;
}

/** The CTR mode that is made of ECB is that of OpenSSL. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createCipheriv, randomBytes } from "node:crypto";
import { CounterMode } from "../../src/executor/ssh/workarounds/counter_mode.ts";

for (const bits of ["128", "192", "256"]) {
  Deno.test(`CounterMode: aes${bits}-ctr, over each carry`, () => {
    // Counters that overflow at once, soon, and in all their bits.
    for (const tail of ["00000000", "ffffffff", "fffffff0", "00000000ffffff00", "f".repeat(32)]) {
      const key = randomBytes(Number(bits) / 8);
      const iv = randomBytes(16);
      Buffer.from(tail, "hex").copy(iv, 16 - tail.length / 2);
      const expected = createCipheriv(`aes-${bits}-ctr`, key, iv);
      const mode = new CounterMode(bits, key, iv);
      for (const length of [16, 32, 4096, 32_784, 35_008, 100_000 - 100_000 % 16]) {
        const text = randomBytes(length);
        const packet = new Uint8Array(4 + length);
        packet.set(text, 4);
        mode.encrypt(packet.buffer, 4, length);
        assert.ok(expected.update(text).equals(packet.subarray(4)), `${tail}, ${length}`);
      }
      expected.final();
      mode.free();
    }
  });
}

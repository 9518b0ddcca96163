import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync } from "node:fs";
import fc from "fast-check";
import type { Executor } from "../../src/executor/executor.ts";
import { SEED } from "../helpers/seed.ts";
import { MACHINES } from "./machines.ts";
import { hostileWord } from "./quote_fixture.ts";

const COUNT = 10_000;

/** Keeps a command below the limit of one argument, even when every byte needs an escape. */
const BATCH_BYTES = 16 * 1024;

function* batches(words: readonly string[]): Generator<string[]> {
  let batch: string[] = [];
  let bytes = 0;
  for (const word of words) {
    bytes += Buffer.byteLength(word) + 1;
    batch.push(word);
    if (bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

/** Passes every word through sh and compares the bytes that arrive. */
async function roundTrip(machine: Executor, words: readonly string[]): Promise<void> {
  for (const batch of batches(words)) {
    const chunks: Uint8Array[] = [];
    const { exitCode, stderr } = await machine.run(
      { script: String.raw`for word; do printf '%s\000' "$word"; done`, args: batch },
      { onStdout: (chunk) => chunks.push(chunk) },
    );
    assert.equal(exitCode, 0, stderr);
    const expected = Buffer.concat(batch.map((word) => Buffer.from(`${word}\0`)));
    if (Buffer.concat(chunks).equals(expected)) continue;
    const arrived = Buffer.concat(chunks).toString().split("\0");
    const index = batch.findIndex((word, i) => word !== arrived[i]);
    assert.equal(JSON.stringify(arrived[index]), JSON.stringify(batch[index]));
  }
}

for (const { name, ignore, open } of MACHINES) {
  Deno.test({
    name: `quoteWord() passes 10,000 hostile words through a real sh byte for byte (${name})`,
    ignore,
    fn: async () => {
      const words = fc.sample(hostileWord, { numRuns: COUNT, seed: SEED });
      assert.equal(words.length, COUNT);
      await using machine = await open();
      await roundTrip(machine.executor, words);
      assert.equal(existsSync("/tmp/harness-pwned"), false);
    },
  });
}

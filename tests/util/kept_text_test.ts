import assert from "node:assert/strict";
import { KeptText } from "../../src/util/kept_text.ts";

function textOf(i: number, round: number): string {
  const filler = ["x", "é", "字", "\u{1f600}"][(i + round) % 4] ?? "";
  return `${i}.${round}:${filler.repeat((i * 7 + round) % 300)}`;
}

Deno.test("KeptText: is the same text wherever it is moved to", () => {
  const kept = Array.from({ length: 3000 }, (_, i) => new KeptText(textOf(i, 0)));
  const rounds = kept.map(() => 0);
  for (const text of kept) text.keep();
  const old: Array<[KeptText, string]> = [];
  // Most are replaced, again and again: blocks become half empty, and what stays is moved.
  for (let round = 1; round <= 20; round++) {
    for (const [i, before] of kept.entries()) {
      if (i % 10 === 0) continue;
      const text = textOf(i, round);
      const next = new KeptText(round % 2 === 0 ? text : new TextEncoder().encode(text));
      next.keep();
      next.keep();
      before.release();
      before.release();
      if (i % 100 === 1) old.push([before, textOf(i, round - 1)]);
      kept[i] = next;
      rounds[i] = round;
    }
  }
  for (const [i, text] of kept.entries()) {
    assert.equal(text.text, textOf(i, rounds[i] ?? 0));
    assert.equal(text.size, new TextEncoder().encode(text.text).length);
  }
  // What was released can be read by whoever still has it.
  for (const [text, expected] of old) assert.equal(text.text, expected);
});

Deno.test("KeptText: takes long and empty texts", () => {
  for (const length of [0, 1, 30_000, 100_000, 2_000_000]) {
    const text = "ü".repeat(length);
    const kept = new KeptText(text);
    assert.equal(kept.text, text);
    kept.keep();
    assert.equal(kept.text, text);
    kept.release();
    assert.equal(kept.text, text);
  }
});

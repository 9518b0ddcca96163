/** What a terminal obeys, or nobody can see, is written out wherever text of others is shown. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { CLEAR_LINE, drawn, style } from "../../src/cli/output/styles.ts";
import { jsonText, visible } from "../../src/util/terminal_text.ts";
import { SEED } from "../helpers/seed.ts";

/** Independent of the code: code points that must not reach a terminal. */
const RANGES: ReadonlyArray<readonly [number, number]> = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x180e, 0x180e],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x2064],
  [0x2066, 0x206f],
  [0xd800, 0xdfff],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0xe0001, 0xe0001],
  [0xe0020, 0xe007f],
];

const isUnsafe = (text: string): boolean =>
  [...text].some((char) => {
    const code = char.codePointAt(0) ?? 0;
    return RANGES.some(([from, to]) => code >= from && code <= to);
  });

Deno.test("visible(): writes out every unsafe code point", () => {
  for (const [from, to] of RANGES) {
    for (let code = from; code <= to; code++) {
      const char = String.fromCodePoint(code);
      const hex = code.toString(16);
      const form = code <= 0xff
        ? `\\x${hex.padStart(2, "0")}`
        : code <= 0xffff
        ? `\\u${hex.padStart(4, "0")}`
        : `\\u{${hex}}`;
      assert.equal(visible(`a${char}b`), `a${form}b`);
      assert.ok(!isUnsafe(jsonText({ [char]: char })), hex);
    }
  }
});

Deno.test("visible(): leaves text, and what is to be kept, alone", () => {
  const text = "Zürich – 東京 – 👍🏽 – naïve – السلام – \u{10ffff}";
  assert.equal(visible(text), text);
  assert.equal(visible("a\tb\nc\x1b", { keep: "\t\n" }), "a\tb\nc\\x1b");
});

Deno.test("visible() and jsonText(): nothing unsafe comes through", () => {
  const text = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(text, (value) => {
      assert.ok(!isUnsafe(visible(value)));
      const json = jsonText({ [value]: [value] });
      assert.ok(!isUnsafe(json));
      assert.equal(JSON.stringify(JSON.parse(json)), JSON.stringify({ [value]: [value] }));
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

Deno.test("drawn(): draws our styles and nobody else's", () => {
  assert.equal(drawn(`${style(31)}a${style(0)}\n`), "\x1b[31ma\x1b[0m\n");
  assert.equal(drawn(`${CLEAR_LINE}50 %`), "\r\x1b[K50 %");
  assert.equal(drawn("\x1b[31mred\r\t\n"), "\\x1b[31mred\\x0d\t\n");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (value) => {
      assert.ok(!isUnsafe(drawn(value).replaceAll(/[\n\t]/g, "")));
    }),
    { seed: SEED },
  );
});

/** Tables and texts at every width: nothing is cut, and no word is broken. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { eastAsianWidth } from "get-east-asian-width";
import stringWidth from "string-width";
import { clusterWidth } from "../../src/cli/output/cluster_width.ts";
import { layoutTable } from "../../src/cli/output/table_layout.ts";
import { textWidth, wrapLines, wrapText } from "../../src/cli/output/text_layout.ts";
import { style } from "../../src/cli/output/styles.ts";
import { formatAge } from "../../src/util/units.ts";
import { SEED } from "../helpers/seed.ts";

const PLAIN = { title: (text: string) => text, cell: (text: string) => text };

const HEAD = ["ID", "STATE", "REASON"];
const ROWS = [
  [
    "web@host1",
    "failed",
    "health check http failed 3/3: status 503 from http://127.0.0.1:8080/healthz",
  ],
  ["東京@host2", "running", ""],
];

function text(columns: number | null, rows = ROWS, head = HEAD): string {
  const lines = layoutTable({ head, rows }, { columns, paint: PLAIN });
  return [...lines.head, ...lines.rows.flat()].join("\n");
}

Deno.test("layoutTable(): a pipe gets one line a row, whole", () => {
  assert.equal(
    text(null),
    "ID          STATE    REASON\n" +
      `web@host1   failed   ${ROWS[0]?.[2]}\n` +
      "東京@host2  running",
  );
});

Deno.test("layoutTable(): the last column wraps beside the others", () => {
  assert.equal(
    text(60),
    "ID          STATE    REASON\n" +
      "web@host1   failed   health check http failed 3/3: status\n" +
      "                     503 from http://127.0.0.1:8080/healthz\n" +
      "東京@host2  running",
  );
});

Deno.test("layoutTable(): or moves below them, where it is narrow", () => {
  assert.equal(
    text(44),
    "ID          STATE\n" +
      "    REASON\n" +
      "web@host1   failed\n" +
      "    health check http failed 3/3: status 503\n" +
      "    from http://127.0.0.1:8080/healthz\n" +
      "東京@host2  running",
  );
});

Deno.test("layoutTable(): rows become paragraphs, where it is narrower", () => {
  assert.equal(
    text(15, [["web@host1.example.com", "running", "started by client"]]),
    "web@host1.example.com\n" +
      "  state running\n" +
      "  reason started\n" +
      "         by\n" +
      "         client",
  );
  const rows = [["web@host1.example.com", "1.2.3", "running", "-", "3m"]];
  assert.equal(
    text(34, rows, ["ID", "VERSION", "STATE", "HEALTH", "AGE"]),
    "web@host1.example.com\n  version 1.2.3  state running\n  age 3m",
  );
});

Deno.test("layoutTable(): keeps every word, at every width", () => {
  const cell = fc.array(fc.constantFrom("a", "word", "/a/long/path", "-", "達成", "👍🏽", "é"), {
    maxLength: 8,
  }).map((words) => words.join(" "));
  const words = (text: string): string[] => text.match(/\S+/g) ?? [];
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cell, cell, cell), { maxLength: 4 }),
      fc.integer({ min: 1, max: 80 }),
      (rows, columns) => {
        const shown = words(text(columns, rows));
        for (const word of rows.flat().flatMap(words)) {
          assert.ok(word === "-" || [...word].length < 3 || shown.includes(word), word);
        }
        const wide = Math.max(30, columns);
        for (const line of text(wide, rows).split("\n")) {
          assert.ok(textWidth(line) <= wide, `${wide}: ${line}`);
        }
      },
    ),
    { seed: SEED },
  );
});

Deno.test("wrapText(): breaks at spaces and between ideographs", () => {
  assert.deepEqual(wrapText("one two three", 7), ["one two", "three"]);
  assert.deepEqual(wrapText("/a/very/long/path is it", 6), ["/a/very/long/path", "is it"]);
  assert.deepEqual(wrapText("日本語の文章", 6), ["日本語", "の文章"]);
  assert.deepEqual(wrapText("two  spaces", 20), ["two  spaces"]);
  assert.deepEqual(wrapText("", 5), [""]);
});

Deno.test("wrapLines(): hangs what continues, and leaves JSON", () => {
  assert.equal(
    wrapLines("  hint: one two\nshort\nrest of it", 12),
    "  hint: one\n    two\nshort\nrest of it",
  );
  assert.equal(wrapLines('{"a": 1, "b": 2}\n', 8), '{"a": 1, "b": 2}\n');
  assert.equal(
    wrapLines(`${style(31)}one two${style(0)}\n`, 7),
    `${style(31)}one two${style(0)}\n`,
  );
});

Deno.test("textWidth(): ideographs and emoji take two columns", () => {
  const cases = { abc: 3, "東京": 4, "👍🏽": 2, "e\u0301": 1, "👨‍👩‍👧": 2, "→": 1 };
  for (const [given, width] of Object.entries(cases)) assert.equal(textWidth(given), width, given);
});

Deno.test("textWidth(): as string-width has it, whatever the text", () => {
  const parts = fc.constantFrom(
    ..."aé東ﾞー→☝✈❤🏴👍🏽👨👩🇩🇪1#",
    ...["\u200d", "\ufe0f", "\u20e3", "\u0301", "\u0903", "\u1100", "\u1161", "\u11a8", "\ud7b0"],
  );
  const text = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.string({ unit: "binary" }),
    fc.array(parts, { maxLength: 8 }).map((chars) => chars.join("")),
  );
  // What Io escapes before it is drawn.
  const isText = (given: string) => !/[\p{Cc}\ufdd0]/u.test(given);
  fc.assert(
    fc.property(text.filter(isText), (given) => assert.equal(textWidth(given), stringWidth(given))),
    { seed: SEED, numRuns: 2_000 },
  );
});

Deno.test("clusterWidth(): where wide characters begin and end", () => {
  const isEdge = (code: number) => eastAsianWidth(code) !== eastAsianWidth(Math.max(0, code - 1));
  const differ: string[] = [];
  for (let code = 0; code <= 0x10ffff; code++) {
    if (code % 64 !== 0 && !isEdge(code) && !isEdge(code + 1)) continue;
    const char = String.fromCodePoint(code);
    if (/[\p{Cc}\ufdd0]/u.test(char)) continue; // which Io escapes before it is drawn
    if (clusterWidth(char) !== stringWidth(char)) differ.push(code.toString(16));
  }
  // Unicode has changed? Then src/cli/output/cluster_width.ts has to follow.
  assert.deepEqual(differ, []);
});

Deno.test("formatAge(): the largest unit alone", () => {
  const cases = { 999: "0s", 59_999: "59s", 60_000: "1m", 7_199_999: "1h", 86_400_000: "1d" };
  for (const [ms, age] of Object.entries(cases)) assert.equal(formatAge(Number(ms)), age);
  assert.equal(formatAge(-1), "0s");
  assert.equal(formatAge(3 * 365 * 86_400_000), "3y");
});

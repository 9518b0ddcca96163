import assert from "node:assert/strict";
import type { Row, Target } from "./row.ts";
import { judge } from "./stats.ts";
import { asked, type Line, markdownTable, shown, textTable, withRegion } from "./table.ts";

const TARGET: Target = {
  title: "requests",
  unit: "/s",
  figure: "ours.rate",
  peer: "bare Deno.rate",
  atLeast: 0.9,
};
const ROW: Row = {
  number: 4,
  name: "requests",
  limit: "the runtime",
  targets: [TARGET],
  setUp: () => Promise.reject(new Error("not here")),
};

function line(note = "", theirs: number | null = 50_000): Line {
  const samples = new Map([["ours", [{ rate: 48_000 }]]]);
  if (theirs !== null) samples.set("bare Deno", [{ rate: theirs }]);
  return { row: ROW, target: TARGET, verdict: judge(TARGET, samples), note };
}

Deno.test("shown(): as many digits as mean something", () => {
  assert.equal(shown(123_456.7, "/s"), "123,457/s");
  assert.equal(shown(12.345, "ms"), "12.3 ms");
  assert.equal(shown(0.916), "0.92");
  assert.equal(shown(1000), "1,000");
  assert.equal(shown(NaN, "ms"), "–");
});

Deno.test("asked(): a ratio has a sign, a figure its unit", () => {
  assert.equal(asked(TARGET), "≥ 0.90 ×");
  const absolute: Target = { title: "idle", unit: "MB", figure: "ours.memory", atMost: 75 };
  assert.equal(asked(absolute), "≤ 75.0 MB");
  assert.equal(asked({ ...absolute, takes: "worst" }), "≤ 75.0 MB always");
});

Deno.test("textTable(): figure, peer, ratio, target, outcome", () => {
  const [, text = ""] = textTable([line()]).split("\n");
  assert.match(
    text,
    /^4-requests +requests +48,000\/s +bare Deno 50,000\/s +0\.96 .+≥ 0\.90 × +ok$/,
  );
});

Deno.test("textTable(): a missing peer is named with its install", () => {
  const text = textTable([line("apt-get install it", null)]);
  assert.match(text, /bare Deno .*no peer: apt-get install it$/);
});

Deno.test("markdownTable(): is as deno fmt would have it", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext=md", "--line-width=100", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const text = `${markdownTable([line(), line("a | b")])}\n`;
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  assert.equal(new TextDecoder().decode((await child.output()).stdout), text);
});

Deno.test("withRegion(): keeps what stands around it", () => {
  const marks = ["<!-- deno task bench: begin -->", "<!-- deno task bench: end -->"];
  const document = `before\n\n${marks[0]}\n\nold\n\n${marks[1]}\n\nafter\n`;
  const written = withRegion(document, "new");
  assert.equal(written, document.replace("old", "new"));
  assert.equal(withRegion(written, "new"), written);
  assert.throws(() => withRegion("no marks", "new"), /has no lines/);
});

import assert from "node:assert/strict";
import type { Figures, Target } from "./row.ts";
import { inOrder, judge, median } from "./stats.ts";

const TARGET: Target = {
  title: "requests",
  unit: "/s",
  figure: "ours.rate",
  peer: "theirs.rate",
  atLeast: 0.9,
};

function samples(ours: (number | undefined)[], theirs?: (number | undefined)[]) {
  const figures = (values: (number | undefined)[]): (Figures | undefined)[] =>
    values.map((rate) => rate === undefined ? undefined : { rate });
  const all = new Map([["ours", figures(ours)]]);
  if (theirs !== undefined) all.set("theirs", figures(theirs));
  return all;
}

Deno.test("median(): the middle one, or the mean of the middle two", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([10, 9]), 9.5);
  assert.ok(Number.isNaN(median([])));
});

Deno.test("inOrder(): turns round from one round to the next", () => {
  assert.deepEqual([0, 1, 2].map((round) => inOrder(["a", "b", "c"], round).join("")), [
    "abc",
    "cba",
    "abc",
  ]);
});

Deno.test("judge(): takes the ratio within each round", () => {
  // The machine was half as fast in the second round: the ratio of the medians would be 0.5.
  const verdict = judge(TARGET, samples([100, 50, 100], [100, 50, 200]));
  assert.equal(verdict.ratio, 1);
  assert.deepEqual(verdict.spread, [0.5, 1]);
  assert.equal(verdict.figure, 100);
  assert.equal(verdict.peer, 100);
  assert.equal(verdict.outcome, "ok");
});

Deno.test("judge(): a ratio below the target is missed", () => {
  assert.equal(judge(TARGET, samples([89], [100])).outcome, "missed");
  assert.equal(judge(TARGET, samples([90], [100])).outcome, "ok");
  const { atLeast: _, ...rest } = TARGET;
  assert.equal(judge({ ...rest, atMost: 1 }, samples([101], [100])).outcome, "missed");
});

Deno.test("judge(): a peer that is missing is never met", () => {
  const verdict = judge(TARGET, samples([100, 100]));
  assert.equal(verdict.outcome, "no peer");
  assert.equal(verdict.figure, 100);
  assert.equal(verdict.ratio, undefined);
});

Deno.test("judge(): what failed is not met either", () => {
  assert.equal(judge(TARGET, samples([], [100])).outcome, "failed");
  assert.equal(judge(TARGET, samples([100], [])).outcome, "failed");
});

Deno.test("judge(): only rounds with both count", () => {
  const verdict = judge(TARGET, samples([100, 10, 10], [100, undefined, undefined]));
  assert.equal(verdict.rounds, 1);
  assert.equal(verdict.ratio, 1);
});

Deno.test("judge(): what must always hold is judged by the worst", () => {
  const target: Target = {
    title: "gap",
    unit: "ms",
    figure: "ours.gap",
    takes: "worst",
    atMost: 10,
  };
  const gaps = new Map([["ours", [{ gap: 4 }, { gap: 12 }, { gap: 5 }]]]);
  assert.equal(judge(target, gaps).figure, 12);
  assert.equal(judge(target, gaps).outcome, "missed");
  assert.equal(judge({ ...target, takes: "median" }, gaps).outcome, "ok");
});

Deno.test("judge(): without a target a figure is only measured", () => {
  const { atLeast: _, ...rest } = TARGET;
  assert.equal(judge(rest, samples([1], [2])).outcome, "measured");
});

import assert from "node:assert/strict";
import { runRows, sharing } from "./rounds.ts";
import { atOnce, type Contender, type Figures, type Row } from "./row.ts";
import type { Scope } from "./scope.ts";

/** A row of which no contender starts anything. */
const SCOPE = { signal: new AbortController().signal } as Scope;

function row(number: number, setUp: Row["setUp"], ...figures: string[]): Row {
  const targets = figures.map((figure) => ({ title: figure, unit: "s", figure }));
  return { number, name: "row", limit: "nothing", targets, setUp };
}

function setUp(...contenders: Contender[]): Row["setUp"] {
  return () => Promise.resolve(contenders);
}

function counted(name: string, rounds?: number): Contender & { turns: number } {
  return {
    name,
    turns: 0,
    ...(rounds === undefined ? {} : { rounds }),
    measure() {
      return Promise.resolve({ turn: ++this.turns });
    },
  };
}

async function measured(rows: readonly Row[], rounds: number, enoughSeconds = Infinity) {
  return await runRows(rows, { rounds, enoughSeconds, scope: SCOPE, say: () => {} });
}

Deno.test("sharing(): rows with the same set-up are one run", () => {
  const [one, other] = [setUp(), setUp()];
  const rows = [row(2, one), row(3, other), row(16, one)];
  assert.deepEqual(sharing(rows).map((some) => some.map(({ number }) => number)), [[2, 16], [3]]);
});

Deno.test("runRows(): each contender once a round, for all rows", async () => {
  const [a, b, unnamed] = [counted("a"), counted("b", 2), counted("c")];
  const both = setUp(a, b, unnamed);
  const { results, seconds } = await measured([row(2, both, "a.turn"), row(16, both, "b.turn")], 3);
  assert.deepEqual([a.turns, b.turns, unnamed.turns], [3, 2, 0]);
  assert.deepEqual(results.map(({ id }) => id), ["2-row", "16-row"]);
  assert.deepEqual(results.map(({ lines }) => lines[0]?.note), ["", "2 rounds"]);
  assert.deepEqual(Object.keys(seconds), ["set-up", "a", "b", "all"]);
});

Deno.test("runRows(): what takes long has three rounds", async () => {
  const [a, once] = [counted("a"), counted("b", 1)];
  const rows = [row(9, setUp(a, once), "a.turn", "b.turn")];
  const { results } = await measured(rows, 5, 0);
  assert.deepEqual([a.turns, once.turns], [3, 1]);
  assert.deepEqual(results[0]?.lines.map(({ note }) => note), ["3 rounds", "1 round"]);
});

Deno.test("runRows(): closes what a set-up that fails has begun", async () => {
  let closed = false;
  const half: Row["setUp"] = (_, stack) => {
    stack.defer(() => void (closed = true));
    return Promise.reject(new Error("no disk"));
  };
  await measured([row(2, half, "a.turn")], 1);
  assert.ok(closed);
});

Deno.test("runRows(): without a set-up every target has failed", async () => {
  const none = () => Promise.reject(new Error("no disk"));
  const { results } = await measured([row(2, none, "a.turn", "b.turn")], 2);
  const lines = results.flatMap((result) => result.lines);
  assert.deepEqual(lines.map(({ verdict }) => verdict.outcome), ["failed", "failed"]);
  assert.deepEqual(lines.map(({ note }) => note), ["no disk", "no disk"]);
});

Deno.test("atOnce(): both begin with the first that is asked for", async () => {
  const begun: string[] = [];
  const work = (name: string) => () => {
    begun.push(name);
    return Promise.resolve<Figures>({ at: begun.length });
  };
  const [one, other] = atOnce(work("one"), work("other"));
  assert.deepEqual([await one(), await other()], [{ at: 1 }, { at: 2 }]);
  assert.deepEqual([await other(), await one()], [{ at: 4 }, { at: 3 }]);
  // Alone, it is measured anew.
  assert.deepEqual([await one(), await one()], [{ at: 5 }, { at: 7 }]);
});

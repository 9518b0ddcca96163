/** The rounds of one row. */
import type { Contender, Figures, Row, Tool } from "./row.ts";
import { parsePath } from "./row.ts";
import type { Scope } from "./scope.ts";
import { inOrder, judge } from "./stats.ts";
import type { Line } from "./table.ts";

/** What a row gave. */
export interface RowResult {
  readonly id: string;
  readonly seconds: number;
  readonly lines: readonly Line[];
  /** Every figure of every round by contender; null where one took no part or failed. */
  readonly samples: Record<string, (Figures | null)[]>;
}

interface Options {
  readonly rounds: number;
  readonly scope: Scope;
  say(text: string): void;
}

/** Sets a row up, measures its contenders in every round, and judges its targets. */
export async function runRow(row: Row, { rounds, scope, say }: Options): Promise<RowResult> {
  const begun = performance.now();
  const samples = new Map<string, (Figures | undefined)[]>();
  const notes = new Map<string, string>();
  try {
    await using setup = await row.setUp(scope);
    const there: Contender[] = [];
    for (const contender of setup.contenders) {
      if (contender.needs === undefined || await isThere(contender.needs, scope)) {
        there.push(contender);
      } else notes.set(contender.name, contender.needs.install);
    }
    for (const { name } of there) samples.set(name, []);
    for (let round = 0; round < rounds; round++) {
      for (const contender of inOrder(there, round)) {
        if (round >= (contender.rounds ?? rounds) || notes.has(contender.name)) continue;
        scope.signal.throwIfAborted();
        const values = samples.get(contender.name) ?? [];
        try {
          values[round] = await contender.measure();
        } catch (error) {
          scope.signal.throwIfAborted();
          notes.set(contender.name, reason(error));
          say(`  ${contender.name} failed: ${error instanceof Error ? error.stack : error}`);
        }
      }
    }
  } catch (error) {
    if (!scope.signal.aborted) {
      say(`  cannot be measured: ${error instanceof Error ? error.stack : error}`);
      // Without a set-up there is nothing of anybody: every target of the row has failed.
      for (const target of row.targets) {
        const { contender } = parsePath(target.figure);
        notes.set(contender, reason(error));
        samples.set(contender, samples.get(contender) ?? []);
      }
    }
  }
  const lines = row.targets.map((target) => {
    const verdict = judge(target, samples);
    const of = [target.figure, ...(target.peer === undefined ? [] : [target.peer])];
    const fewer = verdict.rounds > 0 && verdict.rounds < rounds ? `${verdict.rounds} rounds` : "";
    const note = of.map((path) => notes.get(parsePath(path).contender)).find(Boolean) ?? fewer;
    return { row, target, verdict, note };
  });
  const all = [...samples].map(([name, some]) => [name, Array.from(some, (one) => one ?? null)]);
  return {
    id: `${row.number}-${row.name}`,
    seconds: (performance.now() - begun) / 1000,
    lines,
    samples: Object.fromEntries(all),
  };
}

function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split("\n")[0] ?? "").slice(0, 120);
}

async function isThere({ command }: Tool, scope: Scope): Promise<boolean> {
  return await (typeof command === "string" ? scope.has(command) : command());
}

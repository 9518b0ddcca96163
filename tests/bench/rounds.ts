/** The rounds of one row, or of several that share a set-up. */
import type { Contender, Figures, Row } from "./row.ts";
import { idOf, parsePath } from "./row.ts";
import type { Scope } from "./scope.ts";
import { inOrder, judge, type Samples } from "./stats.ts";
import type { Line } from "./table.ts";

/** A row has no fewer rounds, however long they take. */
const LEAST_ROUNDS = 3;

/** What a row gave. */
export interface RowResult {
  readonly id: string;
  readonly lines: readonly Line[];
  /** Every figure of every round by contender; null where one took no part or failed. */
  readonly samples: Record<string, (Figures | null)[]>;
}

/** What rows with the same set-up gave. */
export interface Measured {
  readonly results: readonly RowResult[];
  /** What the set-up, each contender, and everything took. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** Options for {@linkcode runRows}. */
export interface RunOptions {
  readonly rounds: number;
  /** A row has no further round once those of what is in all of them took so long. @default {Infinity} */
  readonly enoughSeconds?: number;
  readonly scope: Scope;
  say(text: string): void;
}

/** The rows with the same set-up, at the place of the first of them. */
export function sharing(rows: readonly Row[]): (readonly Row[])[] {
  return [...Map.groupBy(rows, (row) => row.setUp).values()];
}

/** Sets rows up, measures the contenders that their targets name in every round, and judges the targets. */
export async function runRows(rows: readonly Row[], options: RunOptions): Promise<Measured> {
  const run = new Rounds(rows, options);
  await run.measure();
  return { results: rows.map((row) => run.result(row)), seconds: run.seconds() };
}

class Rounds {
  readonly #rows: readonly Row[];
  readonly #options: RunOptions;
  readonly #names: ReadonlySet<string>;
  readonly #samples = new Map<string, (Figures | undefined)[]>();
  readonly #notes = new Map<string, string>();
  readonly #seconds = new Map<string, number>();

  constructor(rows: readonly Row[], options: RunOptions) {
    this.#rows = rows;
    this.#options = options;
    const paths = rows.flatMap(({ targets }) => targets).flatMap(({ figure, peer }) =>
      peer === undefined ? [figure] : [figure, peer]
    );
    this.#names = new Set(paths.map((path) => parsePath(path).contender));
  }

  /** Seconds by what took them. */
  seconds(): Record<string, number> {
    return Object.fromEntries(this.#seconds);
  }

  async measure(): Promise<void> {
    const { rounds, scope, say } = this.#options;
    try {
      await this.#timed("all", () => this.#all(rounds));
    } catch (error) {
      if (scope.signal.aborted) return;
      say(`  cannot be measured: ${error instanceof Error ? error.stack : error}`);
      // Without a set-up there is nothing of anybody: every target has failed.
      for (const name of this.#names) {
        this.#notes.set(name, reason(error));
        this.#samples.set(name, this.#samples.get(name) ?? []);
      }
    }
  }

  /** Judges the targets of a row. */
  result(row: Row): RowResult {
    const { rounds } = this.#options;
    const own: Samples = this.#samples;
    const lines = row.targets.map((target) => {
      const verdict = judge(target, own);
      const of = [target.figure, ...(target.peer === undefined ? [] : [target.peer])];
      const some = `${verdict.rounds} ${verdict.rounds === 1 ? "round" : "rounds"}`;
      const fewer = verdict.rounds > 0 && verdict.rounds < rounds ? some : "";
      const note = of.map((path) => this.#notes.get(parsePath(path).contender)).find(Boolean) ??
        fewer;
      return { row, target, verdict, note };
    });
    const all = [...own].map(([name, some]) => [name, Array.from(some, (one) => one ?? null)]);
    return { id: idOf(row), lines, samples: Object.fromEntries(all) };
  }

  async #all(rounds: number): Promise<void> {
    const { scope, enoughSeconds = Infinity } = this.#options;
    const [row] = this.#rows;
    if (row === undefined) return;
    await using stack = new AsyncDisposableStack();
    const contenders = await this.#timed("set-up", () => row.setUp(scope, stack));
    const there: Contender[] = [];
    for (const contender of contenders) {
      if (!this.#names.has(contender.name)) continue;
      if (contender.needs === undefined || await scope.has(contender.needs)) {
        there.push(contender);
      } else this.#notes.set(contender.name, contender.needs.install);
    }
    for (const { name } of there) this.#samples.set(name, []);
    for (let round = 0; round < rounds; round++) {
      if (round >= LEAST_ROUNDS && this.#secondsOfRounds(there) >= enoughSeconds) break;
      for (const contender of inOrder(there, round)) {
        if (round < (contender.rounds ?? rounds)) await this.#one(contender, round);
      }
    }
  }

  /** What the rounds took, without what is not in all of them. */
  #secondsOfRounds(contenders: readonly Contender[]): number {
    return contenders.filter(({ rounds }) => rounds === undefined)
      .reduce((sum, { name }) => sum + (this.#seconds.get(name) ?? 0), 0);
  }

  async #one(contender: Contender, round: number): Promise<void> {
    const { scope, say } = this.#options;
    const { name } = contender;
    if (this.#notes.has(name)) return;
    scope.signal.throwIfAborted();
    try {
      const figures = await this.#timed(name, () => contender.measure());
      const values = this.#samples.get(name);
      if (values !== undefined) values[round] = figures;
    } catch (error) {
      scope.signal.throwIfAborted();
      this.#notes.set(name, reason(error));
      say(`  ${name} failed: ${error instanceof Error ? error.stack : error}`);
    }
  }

  async #timed<T>(what: string, work: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    try {
      return await work();
    } finally {
      const before = this.#seconds.get(what) ?? 0;
      this.#seconds.set(what, before + (performance.now() - begun) / 1000);
    }
  }
}

function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split("\n")[0] ?? "").slice(0, 120);
}

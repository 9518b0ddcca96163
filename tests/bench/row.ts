/**
 * What a row of `deno task bench` is. One file in `rows/` exports one or more of them as `rows`; every file there is
 * found by itself. `rows/requests.ts` is a short example.
 *
 * In every round each contender is measured once, the product and its peers, and the order is turned round from one
 * round to the next: what the machine does besides then falls on all of them alike. A ratio is taken within a round,
 * and its median over the rounds is what is compared with the target.
 */
import type { Scope } from "./scope.ts";

/** What one measurement of a contender gives, by name: `{ rate: 81000, p99_ms: 2.1 }`. */
export type Figures = Record<string, number>;

/** The product in one configuration, or a peer. */
export interface Contender {
  /** How it is called in targets and in the table: `ours`, `bare Deno`, `etcd`. */
  readonly name: string;
  /** What must be there; without it the contender is left out, and the table says so. */
  readonly needs?: Tool;
  /** At most this many rounds, for what takes long and is looked at once; the table says how many there were. */
  readonly rounds?: number;
  /** One measurement: about one second, ten at most. */
  measure(): Promise<Figures>;
}

/** Programs of others. */
export interface Tool {
  /** Their commands, looked for in `PATH`. */
  readonly commands: readonly string[];
  /** What installs them: `apt-get install etcd-server`. */
  readonly install: string;
}

/** One line of the table: a figure, what it is compared with, and what it should be. */
export interface Target {
  /** What is measured, for people: `get_service, 64 connections`. */
  readonly title: string;
  /** Unit of the figure: `/s`, `ms`, `s`, `MB`, `kB`; units of time and size are better when smaller. */
  readonly unit: string;
  /** `contender.figure` that is judged. */
  readonly figure: string;
  /** `contender.figure` it is divided by; without it the figure itself is compared. */
  readonly peer?: string;
  /** Least ratio (or figure). */
  readonly atLeast?: number;
  /** Greatest ratio (or figure). */
  readonly atMost?: number;
  /** Which of the rounds counts: the median, or for what must hold always the worst. @default {"median"} */
  readonly takes?: "median" | "worst";
}

/** A contender whose set-up needs what is not there. */
export function absent(name: string, needs: Tool): Contender {
  return { name, needs, measure: () => Promise.reject(new Error(needs.install)) };
}

/** One row of the table, with one or several targets. */
export interface Row {
  /** Its place in the table. */
  readonly number: number;
  /** Short name; `<number>-<name>` is how it is chosen: `--rows 4-get_service`, or `--rows 4`. */
  readonly name: string;
  /** What limits the figure, in a few words. */
  readonly limit: string;
  /** What is to be met. */
  readonly targets: readonly Target[];
  /**
   * Starts what the contenders need, once for all rounds, and returns them in their first order, with names as in the
   * targets; a contender that no target names takes no part. Processes and directories belong into `scope`; what `stack`
   * has is closed after the last round. Rows with the same function are set up once and measured in the same rounds.
   */
  setUp(scope: Scope, stack: AsyncDisposableStack): Promise<readonly Contender[]>;
}

/**
 * Two measurements that do not disturb each other, such as those of idle processes, at the same time: whichever is
 * asked for first begins both. Gives the two as contenders measure them.
 */
export function atOnce(
  one: () => Promise<Figures>,
  other: () => Promise<Figures>,
): [() => Promise<Figures>, () => Promise<Figures>] {
  let begun: { by: 0 | 1; pair: [Promise<Figures>, Promise<Figures>] } | undefined;
  const half = (which: 0 | 1) => async () => {
    if (begun !== undefined && begun.by !== which) {
      const { pair } = begun;
      begun = undefined;
      return await pair[which];
    }
    const pair: [Promise<Figures>, Promise<Figures>] = [one(), other()];
    begun = { by: which, pair };
    await Promise.allSettled(pair);
    return await pair[which];
  };
  return [half(0), half(1)];
}

/** How a row is named on the command line. */
export function idOf({ number, name }: Row): string {
  return `${number}-${name}`;
}

/** The two parts of `contender.figure`. */
export function parsePath(path: string): { contender: string; figure: string } {
  const dot = path.lastIndexOf(".");
  return { contender: path.slice(0, dot), figure: path.slice(dot + 1) };
}

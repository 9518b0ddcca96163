/** The arithmetic of the bench: what is taken of several rounds, and whether that meets a target. */
import { type Figures, parsePath, type Target } from "./row.ts";

/** The middle of the values; of an even number the mean of the two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  if (sorted.length === 0) return NaN;
  if (!Number.isInteger(half)) return sorted[Math.floor(half)] ?? NaN;
  return ((sorted[half - 1] ?? NaN) + (sorted[half] ?? NaN)) / 2;
}

/** The contenders in the order of a round: as given in even rounds, the other way in odd ones. */
export function inOrder<T>(contenders: readonly T[], round: number): T[] {
  return round % 2 === 0 ? [...contenders] : contenders.toReversed();
}

/** Figures of the rounds by contender; `undefined` where it took no part in a round. */
export type Samples = ReadonlyMap<string, readonly (Figures | undefined)[]>;

/** How a target was met. */
export interface Verdict {
  /** Median (or worst) figure. */
  readonly figure: number;
  /** Median figure of the peer. */
  readonly peer?: number;
  /** Median (or worst) of the ratios within a round. */
  readonly ratio?: number;
  /** Least and greatest of what was judged over the rounds. */
  readonly spread: readonly [number, number];
  /** Rounds that had both. */
  readonly rounds: number;
  readonly outcome: "ok" | "missed" | "measured" | "no peer" | "failed";
}

const NOTHING = { figure: NaN, spread: [NaN, NaN], rounds: 0 } as const;

/** Judges a target by the samples of its row. */
export function judge(target: Target, samples: Samples): Verdict {
  const own = valuesOf(target.figure, samples);
  const figures = own.filter((value) => value !== undefined);
  if (figures.length === 0) return { ...NOTHING, outcome: missing(target.figure, samples) };
  if (target.peer === undefined) {
    return { figure: taken(target, figures), ...judged(target, figures) };
  }
  const others = valuesOf(target.peer, samples);
  const pairs = own.flatMap((value, round) => {
    const other = others[round];
    return value === undefined || other === undefined ? [] : [{ value, other }];
  });
  if (pairs.length === 0) {
    const outcome = missing(target.peer, samples);
    return { ...NOTHING, figure: taken(target, figures), outcome };
  }
  const ratios = pairs.map(({ value, other }) => value / other);
  return {
    figure: taken(target, pairs.map(({ value }) => value)),
    peer: median(pairs.map(({ other }) => other)),
    ratio: taken(target, ratios),
    ...judged(target, ratios),
  };
}

function judged(
  target: Target,
  values: readonly number[],
): Pick<Verdict, "spread" | "rounds" | "outcome"> {
  const value = taken(target, values);
  const { atLeast, atMost } = target;
  const isMet = value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity);
  const hasTarget = atLeast !== undefined || atMost !== undefined;
  return {
    spread: [Math.min(...values), Math.max(...values)],
    rounds: values.length,
    outcome: !hasTarget ? "measured" : isMet ? "ok" : "missed",
  };
}

function taken({ takes, atLeast }: Target, values: readonly number[]): number {
  if (takes !== "worst") return median(values);
  return atLeast === undefined ? Math.max(...values) : Math.min(...values);
}

/** `contender.figure` of each round; the contender's name may have dots. */
function valuesOf(path: string, samples: Samples): (number | undefined)[] {
  const { contender, figure } = parsePath(path);
  return (samples.get(contender) ?? []).map((figures) => figures?.[figure]);
}

function missing(path: string, samples: Samples): "no peer" | "failed" {
  return samples.has(parsePath(path).contender) ? "failed" : "no peer";
}

/**
 * Long work on the event loop that pauses where others may run.
 *
 * @module
 */
import { sleep } from "./async.ts";

/** Names that are looked at between two pauses: some tenths of a millisecond of work. */
const PIECE = 512;

/** Work that pauses where others may run. */
export type Steps<T> = Generator<void, T, void>;

/** Counts what is looked at; true when it is time for a pause. */
export class Pace {
  #left = PIECE;

  /** Counts so many names. */
  isDue(names: number): boolean {
    this.#left -= names;
    if (this.#left > 0) return false;
    this.#left = PIECE;
    return true;
  }
}

/** A slice of work that is bounded by time. */
export class EventLoopSlice {
  readonly #ms: number;
  #began = performance.now();

  /** Begins one of `ms`. */
  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Whether others should have their turn. */
  isOver(): boolean {
    return performance.now() - this.#began > this.#ms;
  }

  /** Gives them their turn, and begins the next slice. */
  async next(): Promise<void> {
    // Not setImmediate(): Deno does not poll its sockets before the next of those.
    await sleep(0);
    this.#began = performance.now();
  }
}

/** Does work with a pause after each piece. */
export async function withPauses<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    await sleep(0);
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Does work without a pause. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Sorts names in pieces. */
export function* sorted(names: string[]): Steps<string[]> {
  if (names.length <= PIECE) return names.sort();
  let runs: string[][] = [];
  for (let from = 0; from < names.length; from += PIECE) {
    runs.push(names.slice(from, from + PIECE).sort());
    yield;
  }
  while (runs.length > 1) {
    const longer: string[][] = [];
    for (let at = 0; at < runs.length; at += 2) {
      longer.push(yield* merged(runs[at] ?? [], runs[at + 1] ?? []));
    }
    runs = longer;
  }
  return runs[0] ?? [];
}

function* merged(a: string[], b: string[]): Steps<string[]> {
  const pace = new Pace();
  const all: string[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const [left, right] = [a[i], b[j]];
    if (right === undefined || (left !== undefined && left <= right)) i = all.push(left ?? "") - j;
    else j = all.push(right) - i;
    if (pace.isDue(1)) yield;
  }
  return all;
}

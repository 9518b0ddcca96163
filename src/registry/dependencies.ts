/**
 * The dependency graph. Its nodes are service names: a service needs another service, not an instance.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import { atOnce, Pace, sorted, type Steps, withPauses } from "../util/steps.ts";
import type { EntryIndex } from "./entry_index.ts";

/** The names a service needs directly. */
export type DependsOn = (name: string) => Iterable<string>;

/** The dependency graph around a service, by service names. */
export interface DependencyInfo {
  /** What it needs directly, sorted. */
  dependencies: string[];
  /** What needs it directly, sorted. */
  dependents: string[];
  /** What it needs, directly or not, that is not registered, sorted. */
  unmet: string[];
  /** The registered services to start, in waves: each needs only earlier waves. The last is the service itself. */
  start_order: string[][];
}

/** The cycle that `name` would be part of if it needed `needs`, such as `["a", "b", "a"]`; `null` = none. */
export function findCycle(
  name: string,
  needs: Iterable<string>,
  dependsOn: DependsOn,
): string[] | null {
  return atOnce(cycleSteps(name, needs, dependsOn));
}

function* cycleSteps(
  name: string,
  needs: Iterable<string>,
  dependsOn: DependsOn,
): Steps<string[] | null> {
  const pace = new Pace();
  // Depth first, with the path as an explicit stack: graphs can be deeper than the call stack.
  const seen = new Set<string>();
  const path: string[] = [name];
  const stack: Iterator<string>[] = [needs[Symbol.iterator]()];
  while (stack.length > 0) {
    if (pace.isDue(1)) yield;
    const next = stack.at(-1)?.next();
    if (next === undefined || next.done === true) {
      stack.pop();
      path.pop();
    } else if (next.value === name) {
      return [...path, name];
    } else if (!seen.has(next.value)) {
      seen.add(next.value);
      path.push(next.value);
      stack.push(dependsOn(next.value)[Symbol.iterator]());
    }
  }
  return null;
}

/**
 * Refuses dependencies that would close a cycle.
 *
 * @throws {HarnessError} `invalid_params`, with the cycle as `a → b → a`.
 */
export function assertNoCycle(name: string, needs: Iterable<string>, dependsOn: DependsOn): void {
  refuseCycle(name, findCycle(name, needs, dependsOn));
}

function refuseCycle(name: string, cycle: string[] | null): void {
  if (cycle === null) return;
  const half = MAX_NAMES_IN_DETAILS / 2;
  const isLong = cycle.length > MAX_NAMES_IN_DETAILS;
  throw new HarnessError(
    "invalid_params",
    `Cannot let "${name}" depend on "${cycle[1]}": that would be a cycle, ${pathText(cycle)}`,
    {
      details: isLong
        ? {
          cycle: [...cycle.slice(0, half), ...cycle.slice(-half)],
          cycle_length: cycle.length - 1,
        }
        : { cycle },
    },
  );
}

/** Names of one path or set that an error's details hold; of longer ones, the first and the last. */
const MAX_NAMES_IN_DETAILS = 100;
/** Names at each end of a path that an error's text shows. */
const MAX_NAMES_IN_TEXT = 4;

/** `a → b → c`, without its middle where it is long. */
function pathText(path: readonly string[]): string {
  const left = path.length - 2 * MAX_NAMES_IN_TEXT;
  if (left < 2) return path.join(" → ");
  const [start, end] = [path.slice(0, MAX_NAMES_IN_TEXT), path.slice(-MAX_NAMES_IN_TEXT)];
  return `${start.join(" → ")} → … (${left} more) … → ${end.join(" → ")}`;
}

/**
 * `names` in waves: each wave needs only earlier ones, names sorted within a wave. Needs outside `names`
 * are taken as met.
 *
 * @throws {HarnessError} `conflict` when there is a cycle (registration refuses them, so only data from
 * elsewhere can hold one).
 */
export function startOrder(names: Iterable<string>, dependsOn: DependsOn): string[][] {
  const waiting = new Map<string, number>();
  const dependents = new Map<string, string[]>();
  for (const name of names) waiting.set(name, 0);
  for (const name of waiting.keys()) {
    for (const need of new Set(dependsOn(name))) {
      if (!waiting.has(need)) continue;
      waiting.set(name, (waiting.get(name) ?? 0) + 1);
      const list = dependents.get(need);
      if (list === undefined) dependents.set(need, [name]);
      else list.push(name);
    }
  }
  const waves: string[][] = [];
  let wave = [...waiting].filter(([, count]) => count === 0).map(([name]) => name);
  while (wave.length > 0) {
    waves.push(wave.sort());
    const next: string[] = [];
    for (const name of wave) {
      waiting.delete(name);
      for (const dependent of dependents.get(name) ?? []) {
        const left = (waiting.get(dependent) ?? 0) - 1;
        waiting.set(dependent, left);
        if (left === 0) next.push(dependent);
      }
    }
    wave = next;
  }
  if (waiting.size > 0) throw noOrder(waiting.keys());
  return waves;
}

function noOrder(names: Iterable<string>): HarnessError {
  const stuck = [...names].sort();
  const left = stuck.length - 2 * MAX_NAMES_IN_TEXT;
  const named = left < 2
    ? stuck.join(", ")
    : `${stuck.slice(0, 2 * MAX_NAMES_IN_TEXT).join(", ")} and ${left} more`;
  return new HarnessError(
    "conflict",
    `Cannot order the start: ${named} depend on each other; remove one of these dependencies`,
    { details: { reason: "dependency_cycle", services: stuck.slice(0, MAX_NAMES_IN_DETAILS) } },
  );
}

/** What a service will need when a change in flight is committed. */
interface PendingNeeds {
  readonly needs: readonly string[];
  /** Counts the changes in the order in which they began. */
  readonly ticket: number;
}

/**
 * The dependency graph of a registry, including the edges of changes in flight: so two concurrent changes
 * cannot close a cycle together.
 */
export class DependencyGraph {
  readonly #index: EntryIndex;
  readonly #pending = new Map<string, Set<PendingNeeds>>();
  #tickets = 0;
  /** Ends with the last search that takes more than one piece: one of them at a time takes part in a turn. */
  #searches: Promise<unknown> = Promise.resolve();

  /** A graph over an index. */
  constructor(index: EntryIndex) {
    this.#index = index;
  }

  /** The names that `name` needs directly, as registered or about to be; duplicates may occur. */
  dependsOn(name: string): readonly string[] {
    return this.#withPending(name, this.#index.needsOf(name) ?? []);
  }

  /** With the needs of changes in flight, or of those that began before a ticket. */
  #withPending(
    name: string,
    registered: readonly string[],
    before: number = Infinity,
  ): readonly string[] {
    const pending = this.#pending.get(name);
    if (pending === undefined) return registered;
    const earlier = [...pending].filter(({ ticket }) => ticket < before);
    return [...registered, ...earlier.flatMap(({ needs }) => needs)];
  }

  /** A visit of a service, which may not be registered. */
  #visit(name: string): Visit {
    const needs = this.#index.needsOf(name);
    return new Visit(name, this.#withPending(name, needs ?? []), needs !== null);
  }

  /** The names that need `name` directly, as registered or about to be. */
  dependentsOf(name: string): Set<string> {
    const found = new Set(this.#index.dependentsOf(name));
    for (const [other, pending] of this.#pending) {
      for (const { needs } of pending) if (needs.includes(name)) found.add(other);
    }
    return found;
  }

  /**
   * Runs `commit` with the edges `name → needs` already counted, after a check that they close no cycle.
   *
   * A search in a deep graph pauses, so that the graph changes meanwhile. Each change takes those in account that began
   * before it: of several that would close a cycle together the last one is refused, whichever search ends first.
   *
   * @throws {HarnessError} `invalid_params` naming the cycle.
   */
  async with<T>(name: string, needs: readonly string[], commit: () => Promise<T>): Promise<T> {
    if (needs.length === 0) return await commit();
    const own = { needs, ticket: this.#tickets++ };
    // A service that nobody needs can be part of no cycle but with itself.
    const search = needs.includes(name) || this.#isNeeded(name) ? this.#cycleOf(name, own) : null;
    let pending = this.#pending.get(name);
    if (pending === undefined) this.#pending.set(name, pending = new Set());
    pending.add(own);
    try {
      // Most searches end within the first piece, and the change follows without a pause.
      const first = search?.next();
      const isOpen = search !== null && first?.done === false;
      refuseCycle(name, isOpen ? await this.#finish(search) : first?.value ?? null);
      return await commit();
    } finally {
      pending.delete(own);
      if (pending.size === 0) this.#pending.delete(name);
    }
  }

  #isNeeded(name: string): boolean {
    for (const _ of this.#index.dependentsOf(name)) return true;
    for (const pending of this.#pending.values()) {
      for (const { needs } of pending) if (needs.includes(name)) return true;
    }
    return false;
  }

  /** Searches for a cycle, with the changes in flight that began earlier. */
  #cycleOf(name: string, { needs, ticket }: PendingNeeds): Steps<string[] | null> {
    return cycleSteps(name, needs, (other) => {
      return this.#withPending(other, this.#index.needsOf(other) ?? [], ticket);
    });
  }

  async #finish<T>(steps: Steps<T>): Promise<T> {
    const result = this.#searches.then(() => withPauses(steps));
    this.#searches = result.catch(() => {});
    return await result;
  }

  /** The graph around a service. */
  info(name: string): DependencyInfo {
    return atOnce(this.infoSteps(name));
  }

  /** The same in pieces. */
  *infoSteps(name: string): Steps<DependencyInfo> {
    let { waves, unmet, hasCycle } = yield* this.#search(name);
    if (hasCycle) {
      const names = waves.flat();
      startOrder(names, (one) => this.dependsOn(one)); // throws
      // There is none: a change came between what was read before and after it. Now nothing can.
      ({ waves, unmet } = atOnce(this.#search(name)));
    }
    const dependents = Array.from(this.#index.dependentsOf(name));
    for (const [other, pending] of this.#pending) {
      if (this.#index.isDependent(other, name)) continue;
      for (const { needs } of pending) if (needs.includes(name)) dependents.push(other);
    }
    for (const [at, wave] of waves.entries()) if (wave.length > 1) waves[at] = yield* sorted(wave);
    return {
      dependencies: unique(this.dependsOn(name)).toSorted(),
      dependents: yield* sorted(dependents.filter((other) => other !== name)),
      unmet: yield* sorted(unmet),
      start_order: waves,
    };
  }

  /**
   * What `name` needs, directly or not: the registered services by the longest way from them down to one that needs
   * nothing, which is the wave they start in, and the names that are not registered.
   */
  *#search(name: string): Steps<{ waves: string[][]; unmet: string[]; hasCycle: boolean }> {
    const pace = new Pace();
    const found = new Map<string, number>([[name, OPEN]]);
    const waves: string[][] = [];
    const unmet: string[] = [];
    let hasCycle = false;
    // Depth first, with the path as an explicit stack: graphs can be deeper than the call stack.
    const path = [this.#visit(name)];
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      if (pace.isDue(1)) yield;
      const need = top.needs[top.next++];
      if (need !== undefined) {
        const wave = found.get(need);
        if (wave === OPEN) hasCycle = true;
        else if (wave !== undefined) top.follows(wave);
        else {
          found.set(need, OPEN);
          path.push(this.#visit(need));
        }
        continue;
      }
      path.pop();
      if (top.isRegistered) (waves[top.wave] ??= []).push(top.name);
      else unmet.push(top.name);
      const wave = top.isRegistered ? top.wave : UNMET;
      found.set(top.name, wave);
      path.at(-1)?.follows(wave);
    }
    return { waves, unmet, hasCycle };
  }
}

/** A name on the path whose needs are being looked at. */
const OPEN = -2;
/** A name that is not registered: nothing waits for it. */
const UNMET = -1;

/** A name on the path of a search. */
class Visit {
  readonly name: string;
  readonly needs: readonly string[];
  readonly isRegistered: boolean;
  /** Index of the next need to look at. */
  next = 0;
  /** The wave it starts in, by the needs looked at so far. */
  wave = 0;

  constructor(name: string, needs: readonly string[], isRegistered: boolean) {
    this.name = name;
    this.needs = needs;
    this.isRegistered = isRegistered;
  }

  /** It starts after a need of that wave. */
  follows(wave: number): void {
    if (wave >= this.wave) this.wave = wave + 1;
  }
}

function unique(names: readonly string[]): readonly string[] {
  return names.length < 2 ? names : [...new Set(names)];
}

/**
 * The dependency graph. Its nodes are service names: a service needs another service, not an instance.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
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
  // Depth first, with the path as an explicit stack: graphs can be deeper than the call stack.
  const seen = new Set<string>();
  const path: string[] = [name];
  const stack: Iterator<string>[] = [needs[Symbol.iterator]()];
  while (stack.length > 0) {
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
  const cycle = findCycle(name, needs, dependsOn);
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

/** Everything `name` needs, directly or not, without itself. */
function closureOf(name: string, dependsOn: DependsOn): Set<string> {
  const found = new Set<string>();
  const queue = [...dependsOn(name)];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (next === name || found.has(next)) continue;
    found.add(next);
    queue.push(...dependsOn(next));
  }
  return found;
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
  if (waiting.size === 0) return waves;
  const stuck = [...waiting.keys()].sort();
  const left = stuck.length - 2 * MAX_NAMES_IN_TEXT;
  const named = left < 2
    ? stuck.join(", ")
    : `${stuck.slice(0, 2 * MAX_NAMES_IN_TEXT).join(", ")} and ${left} more`;
  throw new HarnessError(
    "conflict",
    `Cannot order the start: ${named} depend on each other; remove one of these dependencies`,
    { details: { reason: "dependency_cycle", services: stuck.slice(0, MAX_NAMES_IN_DETAILS) } },
  );
}

/**
 * The dependency graph of a registry, including the edges of changes in flight: so two concurrent changes
 * cannot close a cycle together.
 */
export class DependencyGraph {
  readonly #index: EntryIndex;
  readonly #pending = new Map<string, Set<readonly string[]>>();

  /** A graph over an index. */
  constructor(index: EntryIndex) {
    this.#index = index;
  }

  /** The names that `name` needs directly, as registered or about to be; duplicates may occur. */
  *dependsOn(name: string): Generator<string> {
    for (const entry of this.#index.instancesOf(name)) yield* entry.depends_on;
    for (const needs of this.#pending.get(name) ?? []) yield* needs;
  }

  /** The names that need `name` directly, as registered or about to be. */
  dependentsOf(name: string): Set<string> {
    const found = new Set(this.#index.dependentsOf(name));
    for (const [other, pending] of this.#pending) {
      for (const needs of pending) if (needs.includes(name)) found.add(other);
    }
    return found;
  }

  /**
   * Runs `commit` with the edges `name → needs` already counted, after a check that they close no cycle.
   *
   * @throws {HarnessError} `invalid_params` naming the cycle.
   */
  async with<T>(name: string, needs: readonly string[], commit: () => Promise<T>): Promise<T> {
    if (needs.length === 0) return await commit();
    // A service that nobody needs can be part of no cycle but with itself.
    if (needs.includes(name) || this.dependentsOf(name).size > 0) {
      assertNoCycle(name, needs, (n) => this.dependsOn(n));
    }
    let pending = this.#pending.get(name);
    if (pending === undefined) this.#pending.set(name, pending = new Set());
    pending.add(needs);
    try {
      return await commit();
    } finally {
      pending.delete(needs);
      if (pending.size === 0) this.#pending.delete(name);
    }
  }

  /** The graph around a service. */
  info(name: string): DependencyInfo {
    const dependsOn = (needed: string) => this.dependsOn(needed);
    const has = (needed: string) => this.#index.hasName(needed);
    const closure = closureOf(name, dependsOn);
    return {
      dependencies: [...new Set(dependsOn(name))].sort(),
      dependents: [...this.dependentsOf(name)].filter((other) => other !== name).sort(),
      unmet: [...closure].filter((need) => !has(need)).sort(),
      start_order: startOrder([...[...closure].filter(has), name], dependsOn),
    };
  }
}

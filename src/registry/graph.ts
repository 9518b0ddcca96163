/**
 * The dependency graph of a registry, including the edges of changes that are still being written.
 *
 * @module
 */
import type { EntryIndex } from "./entry_index.ts";
import { assertNoCycle, type DependencyInfo, dependencyInfo } from "./dependencies.ts";

/** Answers questions about the graph, and keeps two concurrent changes from closing a cycle together. */
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
    // Who is needed by nobody can be part of no cycle but with itself.
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
    return dependencyInfo(name, {
      dependents: this.dependentsOf(name),
      has: (n) => this.#index.hasName(n),
      dependsOn: (n) => this.dependsOn(n),
    });
  }
}

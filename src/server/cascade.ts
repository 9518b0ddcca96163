/**
 * Which services an action with `cascade` touches, and in which order.
 *
 * @module
 */
import { startOrder } from "../registry/dependencies.ts";
import type { Registry } from "../registry/registry.ts";

/** The registered services that need `name`, directly or not, and `name` itself. */
function withDependents(registry: Registry, name: string): Set<string> {
  const found = new Set([name]);
  for (const next of found) {
    for (const dependent of registry.dependencies(next).dependents) found.add(dependent);
  }
  return found;
}

/**
 * The waves in which services are started: what a wave needs stands in earlier ones. The last is `name`.
 */
export function startWaves(registry: Registry, name: string): string[][] {
  return registry.dependencies(name).start_order;
}

/** The waves in which services are stopped: what needs a wave stands in earlier ones. The last is `name`. */
export function stopWaves(registry: Registry, name: string): string[][] {
  const names = withDependents(registry, name);
  const needs = (of: string) => {
    return registry.list({ name: of }).flatMap((entry) => entry.depends_on)
      .filter((needed) => names.has(needed));
  };
  return startOrder(names, needs).reverse();
}

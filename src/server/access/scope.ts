/**
 * The services that a token is limited to.
 *
 * A scope matches service names: an id is chosen by the client that registers an entry, and endpoints,
 * dependencies and deployments use the name.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { eventMatcher } from "../../registry/filter.ts";
import type { Registry } from "../../registry/registry.ts";
import { parsePackageFile } from "../packages/package_files.ts";

/** Service names and globs. */
export class ServiceScope {
  /** The names and globs. */
  readonly patterns: readonly string[];
  readonly #matches: (name: string) => boolean;
  readonly #matchesFile: (name: string) => boolean;

  /** A scope of these names and globs; an empty one covers nothing. */
  constructor(patterns: readonly string[]) {
    this.patterns = patterns;
    this.#matches = matcher(patterns);
    // The same replacements as in the file names of packages.
    this.#matchesFile = matcher(patterns.map((one) => one.replaceAll(/[^A-Za-z0-9_*?-]/g, "_")));
  }

  /** Whether it covers a service name. */
  covers(name: string): boolean {
    return this.#matches(name);
  }

  /** Whether it covers the service of a package, by the name in its file name or its manifest. */
  coversPackage(name: string): boolean {
    return this.#matches(name) || this.#matchesFile(name);
  }
}

/** Refuses a service outside a scope, for what is only known while an action runs. @throws {HarnessError} `forbidden`. */
export function requireCovered(scope: ServiceScope | undefined, name: string): void {
  if (scope !== undefined && !scope.covers(name)) throw outsideScope(name);
}

/** Refuses the file of a package outside a scope. @throws {HarnessError} `forbidden`. */
export function requireCoveredPackage(scope: ServiceScope | undefined, file: string): void {
  if (scope === undefined || scope.coversPackage(parsePackageFile(file)?.name ?? "")) return;
  throw outsideScope(file);
}

/**
 * Refuses an id or a name unless every entry it could mean, now or later, is covered.
 *
 * @throws {HarnessError} `forbidden`, whether or not there is such a service.
 */
export function requireServiceInScope(
  nameOrId: string,
  scope: ServiceScope,
  registry: Registry,
): void {
  const base = nameOrId.split("@", 1)[0] ?? "";
  const entries = registry.list({ name: nameOrId })
    .filter(({ id, name }) => id === nameOrId || name === nameOrId);
  if (scope.covers(base) && entries.every(({ name }) => scope.covers(name))) return;
  throw outsideScope(nameOrId);
}

/** The error for something outside a scope. */
export function outsideScope(what: string): HarnessError {
  const shown = what.slice(0, 256);
  return new HarnessError(
    "forbidden",
    `Cannot use ${shown}: this token is limited to other services`,
    { details: { reason: "outside_scope", name: shown } },
  );
}

function matcher(patterns: readonly string[]): (name: string) => boolean {
  const wants = eventMatcher({ services: patterns });
  return (service) => wants({ event: "", data: { service, id: null } });
}

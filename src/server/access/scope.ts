/**
 * The services that a token is limited to.
 *
 * A scope goes by service names: an id can be chosen by whoever registers an entry, and endpoints,
 * dependencies and deployments go by the name.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Action, ActionParams } from "../../protocol/actions.ts";
import { eventMatcher } from "../../registry/filter.ts";
import { isGlob } from "../../util/glob.ts";
import type { Registry } from "../../registry/registry.ts";
import { parsePackageFile } from "../packages/file_name.ts";

/** Service names and globs. */
export class ServiceScope {
  /** The names and globs. */
  readonly patterns: readonly string[];
  readonly #matches: (name: string) => boolean;
  readonly #matchesFile: (name: string) => boolean;

  /** A scope of these names and globs; none covers nothing. */
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

/** What a check looks at. */
interface ScopeSources {
  readonly registry: Registry;
  readonly deployments?: {
    get(params: { deployment_id: string }): Promise<{ service: string }>;
  } | undefined;
}

type Check<P> = (params: P, scope: ServiceScope, sources: ScopeSources) => void | Promise<void>;

/** Lists are filtered where they are made. */
const filtered = () => {};
const named: Check<{ name: string }> = ({ name }, scope, { registry }) => {
  requireService(name, scope, registry);
};
const ofDeployment: Check<{ deployment_id: string }> = async (params, scope, sources) => {
  const { deployment_id } = params;
  const deployment = await sources.deployments?.get({ deployment_id });
  if (deployment !== undefined && !scope.covers(deployment.service)) throw outside(deployment_id);
};

/** What each action may not name. A new action does not compile without an entry. */
const CHECKS: { readonly [A in Action]: Check<ActionParams<A>> } = {
  list_services: filtered,
  get_service: named,
  register_service: ({ service }, scope, { registry }) => {
    if (!scope.covers(service.name)) throw outside(service.name);
    // An id that is another service's would stand where that one's entry is, or will be.
    if (service.id !== undefined) requireService(service.id, scope, registry);
    requireService(service.name, scope, registry);
  },
  update_service: named,
  deregister_service: named,
  heartbeat: named,
  service_action: named,
  list_endpoints: filtered,
  resolve_endpoint: ({ service }, scope, { registry }) => requireService(service, scope, registry),
  get_dependencies: named,
  service_logs: named,
  deploy_package: ({ package: reference }, scope) => {
    // Its manifest is looked at later: this is so that nothing is told of packages outside.
    const at = reference.lastIndexOf("@");
    const name = parsePackageFile(reference)?.name ?? reference.slice(0, Math.max(0, at));
    if (!scope.coversPackage(name)) throw outside(reference);
  },
  get_deployment: ofDeployment,
  list_deployments: filtered,
  cancel_deployment: ofDeployment,
  rollback_service: named,
  resume_deployment: ofDeployment,
  list_packages: filtered,
  subscribe: ({ services = [] }, scope, { registry }) => {
    for (const one of services) {
      if (!isGlob(one)) requireService(one, scope, registry);
    }
  },
  unsubscribe: filtered,
};

/**
 * Whether an action names only services that a token is limited to; what it lists is filtered elsewhere.
 *
 * @throws {HarnessError} `forbidden`, whether or not there is such a service.
 */
export function requireScope<A extends Action>(
  action: A,
  params: ActionParams<A>,
  scope: ServiceScope,
  sources: ScopeSources,
): void | Promise<void> {
  const check: Check<ActionParams<A>> = CHECKS[action];
  return check(params, scope, sources);
}

/** The same for a service by name, for what is only known while an action is carried out. */
export function requireCovered(scope: ServiceScope | undefined, name: string): void {
  if (scope !== undefined && !scope.covers(name)) throw outside(name);
}

/** The same for the file of a package. */
export function requireCoveredPackage(scope: ServiceScope | undefined, file: string): void {
  if (scope === undefined || scope.coversPackage(parsePackageFile(file)?.name ?? "")) return;
  throw outside(file);
}

/** All that an id or a name could mean is covered: the entries there are, and those still to come. */
function requireService(nameOrId: string, scope: ServiceScope, registry: Registry): void {
  const base = nameOrId.split("@", 1)[0] ?? "";
  const entries = registry.list({ name: nameOrId })
    .filter(({ id, name }) => id === nameOrId || name === nameOrId);
  if (scope.covers(base) && entries.every(({ name }) => scope.covers(name))) return;
  throw outside(nameOrId);
}

function outside(what: string): HarnessError {
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

/**
 * Service discovery by environment: the addresses of a service's dependencies, from the registry.
 *
 * For each dependency that runs somewhere: `<DEP>_HOST`, `<DEP>_PORT` and `<DEP>_ADDR` of its first
 * endpoint, and `<DEP>_<ENDPOINT>_ADDR` of each. Names are upper-case, everything else than letters
 * and digits is `_`.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Endpoint } from "../../model/service.ts";
import type { Registry } from "../../registry/registry.ts";
import { envName } from "../../deploy/env.ts";

/**
 * The environment with the addresses of dependencies; those that run nowhere are left out. Instances that are
 * not trusted are used only where there is no other.
 */
export function dependencyEnv(
  registry: Registry,
  dependencies: readonly string[],
  isTrusted: (id: string) => boolean = () => true,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const dependency of dependencies) {
    const prefix = envName(dependency);
    const found = resolveOrNone(registry, dependency);
    const trusted = found.filter(({ id }) => isTrusted(id));
    const endpoints = trusted.length > 0 ? trusted : found;
    const [first] = endpoints;
    if (first === undefined) continue;
    const { host, port } = splitAddress(first.address);
    env[`${prefix}_HOST`] = host;
    env[`${prefix}_PORT`] = port;
    env[`${prefix}_ADDR`] = first.address;
    // Of several instances the first one by id wins, as above.
    for (const endpoint of endpoints.toReversed()) {
      env[`${prefix}_${envName(endpoint.name)}_ADDR`] = endpoint.address;
    }
  }
  return env;
}

function resolveOrNone(
  registry: Registry,
  service: string,
): Array<Endpoint & { id: string }> {
  try {
    return registry.resolve(service);
  } catch (error) {
    // Missing or not running: the service may start before its dependency.
    if (error instanceof HarnessError && ["not_found", "unavailable"].includes(error.code)) {
      return [];
    }
    throw error;
  }
}

function splitAddress(address: string): { host: string; port: string } {
  const colon = address.lastIndexOf(":");
  return {
    host: address.slice(0, colon).replace(/^\[(.*)\]$/, "$1"),
    port: address.slice(colon + 1),
  };
}

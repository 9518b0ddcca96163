/**
 * Specs that an earlier version recorded, as this version would have written them. Pure.
 *
 * @module
 */
import type { ServiceSpec } from "./service_spec.ts";

/**
 * A recorded spec as this version writes it. A deployment's output used to be in `log/` of its bookkeeping directory,
 * which belongs to the service's user; now it is in `output/` beside it, which only the deployer can write.
 */
export function upgradeSpec(spec: ServiceSpec): ServiceSpec {
  const base = deploymentBase(spec);
  return base !== null && spec.logDir === `${base}/log`
    ? { ...spec, logDir: `${base}/output` }
    : spec;
}

/** Where the version before put the log of a deployment: a directory of the service's user. Else `null`. */
export function earlierLogDir(spec: ServiceSpec): string | null {
  const base = deploymentBase(spec);
  return base !== null && spec.logDir === `${base}/output` ? `${base}/log` : null;
}

/** Bookkeeping directory of the deployment that made `spec`; `null` for a command that was registered. */
function deploymentBase(spec: ServiceSpec): string | null {
  return /^(.*\/\.harness\/[^/]+)\/run\/[^/]+$/.exec(spec.runDir)?.[1] ?? null;
}

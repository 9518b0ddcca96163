/**
 * Deploys a package to hosts, or rolls hosts back, as an async generator of progress.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { DeployPlan } from "./plan.ts";
import type { DeployProgress, DeployResult } from "./progress.ts";

/** Options for {@linkcode deploy}. */
export interface DeployOptions {
  /** Cancels: no new host is started, hosts in flight go back to the version they had. */
  signal?: AbortSignal;
}

/**
 * Carries `plan` out. Yields every step of every host as it happens and returns the outcome per host.
 *
 * Failures of hosts are outcomes, not exceptions: it throws only for a plan that makes no sense
 * (`invalid_params`), before any host is touched. Leaving the loop early cancels and waits until the hosts in
 * flight are back as they were.
 */
export function deploy(
  plan: DeployPlan,
  _options: DeployOptions = {},
): AsyncGenerator<DeployProgress, DeployResult> {
  throw new HarnessError("unavailable", `Cannot run ${plan.deploymentId}: not in place yet`);
}

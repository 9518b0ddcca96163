/**
 * Deploy a package to hosts, as an async generator of progress.
 *
 * It knows neither the registry nor the protocol; examples/deploy.ts is a whole program.
 *
 * @example A plan that makes no sense is refused before any host is touched
 * ```ts
 * import assert from "node:assert/strict";
 * import { sshHostDirectory } from "@harness/service-registry";
 * import { deploy } from "@harness/service-registry/deploy";
 *
 * const host = sshHostDirectory().resolve("deploy@web1");
 * const progress = deploy({
 *   kind: "rollback",
 *   deploymentId: "d1",
 *   hosts: [host, host],
 *   package: { name: "web" },
 * });
 * await assert.rejects(progress.next(), { code: "invalid_params" });
 * ```
 *
 * @module
 */
export { deploy } from "./deploy.ts";
export { packageFile } from "./package_file.ts";
export type { DeployOptions } from "./deploy.ts";
export type { RunManager } from "../lifecycle/drivers/driver.ts";
export type {
  DeployPackage,
  DeployPackagePlan,
  DeployPlan,
  DeployStrategy,
  DeployTiming,
  FoundHost,
  HostTarget,
  PlanBase,
  RollbackPlan,
  RollbackRequest,
} from "./plan.ts";
export type { InspectedBytes } from "../package/prefix_digests.ts";
export type { DeployFailure, DeployStatus, DeployStep, HostOutcome } from "../model/deployment.ts";
export type { DeployedService, DeployProgress, DeployResult, HostResult } from "./progress.ts";

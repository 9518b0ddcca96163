/**
 * The progress events and the result of a deployment.
 *
 * @module
 */
import type {
  DeployFailure,
  DeploymentProgressData,
  DeployStatus,
  DeployStep,
  HostOutcome,
} from "../model/deployment.ts";
import type { Manifest } from "../package/manifest/manifest.ts";
import type { HealthCheckResult } from "../lifecycle/health/check.ts";
import type { RunManager } from "../lifecycle/drivers/driver.ts";
import type { ServiceSpec, ServiceStatus } from "../lifecycle/service_spec.ts";

/** One event of a deployment: the data of `deployment_progress` without the instance id. */
export interface DeployProgress extends Omit<DeploymentProgressData, "id"> {
  /** With `step: "finish"` and a host that was begun: all that is known of it. Not for the wire. */
  result?: HostResult;
  /** With `step: "finish"` and `host: null`: how the whole deployment ended. */
  deployment_status?: DeployStatus;
}

/** The service on a host after a deployment, with all that is needed to register and control it. */
export interface DeployedService {
  /** Service name. */
  name: string;
  /** Version that is active. */
  version: string;
  /** SHA-256 of its package. */
  sha256: string;
  /** Directory of the active release. */
  installDir: string;
  /** Whole manifest of the active release. */
  manifest: Manifest;
  /** How to control it; holds the ports as configured on this host. */
  spec: ServiceSpec;
  /** What runs it on this host. */
  manager: RunManager;
  /** Machine and directory: see {@linkcode FoundHost.place}. */
  place: string;
  /** Last status that the controller saw: pid or container id. */
  status: ServiceStatus;
  /** Address under which others reach the host. */
  address: string;
}

/** How one host ended. */
export interface HostResult {
  /** Host label. */
  host: string;
  /** How it ended. */
  outcome: HostOutcome;
  /** The step it ended at: the failed one, or `finish`. */
  step: DeployStep;
  /** What went wrong, or `null`. */
  error: DeployFailure | null;
  /** Version active before, or `null`. */
  versionBefore: string | null;
  /** Version active now, or `null`: there is none, or the host could not be asked. */
  versionAfter: string | null;
  /** Whether anything was changed; `false` if the host was up to date. */
  changed: boolean;
  /** The running service, if known: the new release, or after a rollback the old one. */
  service: DeployedService | null;
  /** Last health check of the new release; `null` if it has none, or the release is not active. */
  health: Pick<HealthCheckResult, "healthy" | "message" | "checked_at" | "duration_ms"> | null;
}

/** How a deployment ended. */
export interface DeployResult {
  /** Deployment id. */
  deploymentId: string;
  /** How it ended. */
  status: DeployStatus;
  /** Per host, in the order of the plan. */
  hosts: HostResult[];
}

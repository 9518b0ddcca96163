/**
 * The plan of a deployment: a package or a rollback, hosts, environment and strategy.
 *
 * @module
 */
import type { UnreachablePolicy } from "../model/deployment.ts";
import type { Executor } from "../executor/executor.ts";
import type { Manifest } from "../package/manifest/manifest.ts";
import type { InspectedBytes } from "../package/prefix_digests.ts";

/** A package to deploy, already verified by the caller. */
export interface DeployPackage {
  /** Opens the bytes of the package; called once for each host that does not have them. */
  open(): Promise<ReadableStream<Uint8Array>>;
  /** File name, for messages. */
  file: string;
  /** SHA-256 of the file, lower-case hex. */
  sha256: string;
  /** Size of the file in bytes. */
  size: number;
  /** Its manifest. */
  manifest: Manifest;
  /**
   * From `inspectPackage`, of the same file, where it gives `prefixes`: no other bytes are sent. Hosts then unpack them
   * while they arrive; without it a host reads all of the archive's headers itself before it unpacks anything.
   */
  inspected?: InspectedBytes | undefined;
}

/** What to roll back. */
export interface RollbackRequest {
  /** Service name. */
  name: string;
  /** Version to go back to. @default {the last good release installed before the active one} */
  version?: string;
}

/** One host of a deployment. */
export interface HostTarget {
  /** Name for people; unique within the deployment. */
  label: string;
  /** Connects. Called once, and again when the connection broke and the host must be cleaned up. */
  connect(signal: AbortSignal): Promise<Executor>;
  /**
   * Is offered the connection after a deployment that succeeded, as root where `become` says so: whoever manages the
   * service needs one next. Returns whether it takes it, and then closes it. @default {it is closed}
   */
  keep?(executor: Executor): boolean;
  /** Absolute directory for releases and bookkeeping. @default {"/opt"} */
  installRoot?: string;
  /** How to become root there, or `null` to work as the login user. @default {null} */
  become?: "sudo" | null;
  /** Address under which others reach this host: `HARNESS_HOST`. @default {label} */
  address?: string;
  /** Environment of this host alone, above the plan's. */
  env?: Readonly<Record<string, string>>;
}

/** A host as {@linkcode PlanBase.admit} gets it. */
export interface FoundHost {
  /** Identifies machine and install root, under whatever name, until a reboot. */
  place: string;
  /** The active release's version, or `null`. */
  version: string | null;
}

/** In which order and how many hosts are deployed to. */
export interface DeployStrategy {
  /** Hosts at once. @default {10} */
  parallel?: number;
  /** Hosts that go first; the rest follows only if they succeed. @default {0} */
  canary?: number;
  /** Failed hosts that are tolerated; with one more, no new host is started. @default {0} */
  maxFailures?: number;
  /** Whether an unreachable host counts as a failure. @default {"fail"} */
  onUnreachable?: UnreachablePolicy;
}

/** Poll and settle times; tests shorten them. */
export interface DeployTiming {
  /**
   * How long a service must stay up to count as started where no health check shows it.
   * @default {DEPLOY_SETTLE_MS, START_SETTLE_MS after a health script}
   */
  settleMs?: number;
  /** Pause between two health checks. @default {WAIT_HEALTHY_POLL_MS} */
  healthPollMs?: number;
  /** Pause between two attempts to take a lock that is held. @default {DEPLOY_LOCK_POLL_MS} */
  lockPollMs?: number;
}

/** Options of every deployment. */
export interface PlanBase {
  /** Deployment id; also names the lock and the temp files on the hosts. Letters, digits, `.`, `_`, `-`. */
  deploymentId: string;
  /** Hosts. */
  hosts: readonly HostTarget[];
  /** Environment for the service, above the manifest's. */
  env?: Readonly<Record<string, string>>;
  /** Secret environment: sent on stdin to a 0600 file and nowhere else, never shown. */
  secrets?: Readonly<Record<string, string>>;
  /** Addresses of the dependencies (`POSTGRES_HOST`, …) from the registry of the caller. */
  dependencyEnv?: Readonly<Record<string, string>>;
  /** Order and concurrency. */
  strategy?: DeployStrategy;
  /** Good releases kept on a host. @default {KEEP_RELEASES} */
  keepReleases?: number;
  /** Deploys again what is up to date; accepts other bytes under the same version. @default {false} */
  force?: boolean;
  /** Who deploys: shown to others who wait for the lock. @default {user@machine (pid …)} */
  owner?: string;
  /** Life of the lock on a host without renewal. @default {DEPLOY_LOCK_TTL_MS} */
  lockTtlMs?: number;
  /** How long to wait for a lock that is held. @default {0} */
  lockWaitMs?: number;
  /** Timeout of connect, lock and preflight on one host. @default {DEPLOY_BEGIN_TIMEOUT_MS} */
  beginTimeoutMs?: number;
  /**
   * Registry ids of the service by host label: reports use them in the commands they suggest. Left out, they name
   * commands for the host itself.
   */
  instances?: ReadonlyMap<string, string>;
  /**
   * Called for each host once its lock is held and before anything else is changed. If it rejects, this host has
   * failed.
   */
  admit?(host: HostTarget, found: FoundHost): Promise<void>;
  /** Time in which a service must become healthy. @default {derived from the manifest's health check} */
  healthTimeoutMs?: number;
  /** Poll and settle times. */
  timing?: DeployTiming;
}

/** A deployment of a package. */
export interface DeployPackagePlan extends PlanBase {
  /** Which kind. */
  kind: "deploy";
  /** What is deployed. */
  package: DeployPackage;
}

/** A rollback to an earlier release. */
export interface RollbackPlan extends PlanBase {
  /** Which kind. */
  kind: "rollback";
  /** What is rolled back. */
  package: RollbackRequest;
}

/** What {@linkcode deploy} is asked to do. */
export type DeployPlan = DeployPackagePlan | RollbackPlan;

/** The service name of a plan. */
export function serviceNameOf(plan: DeployPlan): string {
  return plan.kind === "deploy" ? plan.package.manifest.name : plan.package.name;
}

/**
 * What a deployment is asked to do: which package (or which rollback), on which hosts, with which environment.
 *
 * @module
 */
import type { UnreachablePolicy } from "../model/deployment.ts";
import type { Executor } from "../executor/executor.ts";
import type { Manifest } from "../package/manifest/manifest.ts";

/** A package to deploy, already verified by the caller. */
export interface DeployPackage {
  /** Opens the package's bytes; called once for each host that does not hold them yet. */
  open(): Promise<ReadableStream<Uint8Array>>;
  /** File name, for messages. */
  file: string;
  /** SHA-256 of the file, lower-case hex. */
  sha256: string;
  /** Size of the file in bytes. */
  size: number;
  /** Its manifest. */
  manifest: Manifest;
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
  /** How people call it; unique within the deployment. */
  label: string;
  /** Connects. Called once, and once more when the connection broke and the host must be cleaned up. */
  connect(signal: AbortSignal): Promise<Executor>;
  /** Absolute directory below which releases and bookkeeping go. @default {"/opt"} */
  installRoot?: string;
  /** How to become root there, or `null` to work as the login user. @default {null} */
  become?: "sudo" | null;
  /** Address under which others reach this host: `HARNESS_HOST`. @default {label} */
  address?: string;
  /** Environment of this host alone, above the plan's. */
  env?: Readonly<Record<string, string>>;
}

/** What {@linkcode PlanBase.admit} is told of a host. */
export interface FoundHost {
  /** The same for two names of one machine and install root, and for nothing else, until it is rebooted. */
  place: string;
  /** The active release's version, or `null`. */
  version: string | null;
}

/** How the hosts of a deployment are treated. */
export interface DeployStrategy {
  /** Hosts at once. @default {10} */
  parallel?: number;
  /** Hosts that go first; the rest follows only when they are fine. @default {0} */
  canary?: number;
  /** Failed hosts that are put up with: one more, and no new host is started. @default {0} */
  maxFailures?: number;
  /** Whether an unreachable host counts as a failure. @default {"fail"} */
  onUnreachable?: UnreachablePolicy;
}

/** How often a deployment polls, and how long a start must hold; tests shorten it. */
export interface DeployTiming {
  /** How long a service without a health check must stay up to count as started. @default {DEPLOY_SETTLE_MS} */
  settleMs?: number;
  /** Pause between two health checks. @default {WAIT_HEALTHY_POLL_MS} */
  healthPollMs?: number;
  /** Pause between two attempts to take a lock that is held. @default {DEPLOY_LOCK_POLL_MS} */
  lockPollMs?: number;
}

/** What every deployment says. */
export interface PlanBase {
  /** Deployment id; also names the lock and the temp files on the hosts. Letters, digits, `.`, `_`, `-`. */
  deploymentId: string;
  /** Hosts. */
  hosts: readonly HostTarget[];
  /** Environment for the service, above the manifest's. */
  env?: Readonly<Record<string, string>>;
  /** Environment that is never shown: travels on stdin to a 0600 file and nowhere else. */
  secrets?: Readonly<Record<string, string>>;
  /** Addresses of the dependencies (`POSTGRES_HOST`, …), as the caller's registry knows them. */
  dependencyEnv?: Readonly<Record<string, string>>;
  /** How the hosts are treated. */
  strategy?: DeployStrategy;
  /** Good releases kept on a host. @default {KEEP_RELEASES} */
  keepReleases?: number;
  /** Redo what is there already; accept other bytes under the same name and version. @default {false} */
  force?: boolean;
  /** Who deploys, for the lock: shown to whoever meets it. @default {user@machine (pid …)} */
  owner?: string;
  /** Life of the lock on a host without renewal. @default {DEPLOY_LOCK_TTL_MS} */
  lockTtlMs?: number;
  /** How long to wait for a lock that somebody else holds. @default {0} */
  lockWaitMs?: number;
  /** Time to connect, lock and look at one host. @default {DEPLOY_BEGIN_TIMEOUT_MS} */
  beginTimeoutMs?: number;
  /**
   * What the service is called on each host in the caller's registry, by label: reports name it where they say what
   * to ask. Left out, they say where to look on the host itself.
   */
  instances?: ReadonlyMap<string, string>;
  /**
   * Called for each host when its lock is held and nothing else is changed: the caller's own records. Where it rejects,
   * that host alone has failed.
   */
  admit?(host: HostTarget, found: FoundHost): Promise<void>;
  /** Time in which a service must become healthy. @default {derived from the manifest's health check} */
  healthTimeoutMs?: number;
  /** How often it polls, and how long a start must hold. */
  timing?: DeployTiming;
}

/** A deployment of a package. */
export interface DeployPackagePlan extends PlanBase {
  /** Which kind. */
  kind: "deploy";
  /** What is deployed. */
  package: DeployPackage;
}

/** A return to an earlier release. */
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

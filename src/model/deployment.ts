/**
 * The vocabulary of deployments: steps, outcomes, statuses, and the progress that reports them.
 *
 * Each list is written here once; types, zod schemas and flags are derived from it.
 *
 * @module
 */

/** The steps of one host in order; `rollback` only where needed, `finish` closes a host or the deployment. */
export const DEPLOY_STEPS = [
  "connect",
  "lock",
  "preflight",
  "upload",
  "verify",
  "extract",
  "configure",
  "switch",
  "start",
  "health",
  "commit",
  "prune",
  "unlock",
  "rollback",
  "finish",
] as const;

/** Name of a step. */
export type DeployStep = (typeof DEPLOY_STEPS)[number];

/** Statuses of a step. */
export const STEP_STATUSES = ["started", "progress", "done", "failed", "skipped"] as const;

/** Status of a step. */
export type StepStatus = (typeof STEP_STATUSES)[number];

/** How a deployment may end on one host. */
export const HOST_OUTCOMES = [
  "ok",
  "failed",
  "unreachable",
  "skipped",
  "rolled_back",
  "rollback_failed",
  "cancelled",
] as const;

/** How a deployment ended on one host. */
export type HostOutcome = (typeof HOST_OUTCOMES)[number];

/** Statuses of a whole deployment as the server records it. */
export const DEPLOYMENT_STATUSES = [
  "queued",
  "running",
  "succeeded",
  "failed",
  "partial",
  "cancelled",
  "rolled_back",
  "interrupted",
] as const;

/** Status of a whole deployment as the server records it. */
export type DeploymentStatus = (typeof DEPLOYMENT_STATUSES)[number];

/** Final status of a deployment that ran to its end. */
export type DeployStatus = Exclude<DeploymentStatus, "queued" | "running" | "interrupted">;

/** Kinds of deployment. */
export const DEPLOYMENT_KINDS = ["deploy", "rollback"] as const;

/** Whether a deployment deploys or rolls back. */
export type DeploymentKind = (typeof DEPLOYMENT_KINDS)[number];

/** What an unreachable host may do to a deployment: count as a failure, or be skipped. */
export const UNREACHABLE_POLICIES = ["fail", "skip"] as const;

/** What an unreachable host does to a deployment. */
export type UnreachablePolicy = (typeof UNREACHABLE_POLICIES)[number];

/** What went wrong, for people and programs. Never holds a secret. */
export interface DeployFailure {
  /** A `HarnessError` code. */
  code: string;
  /** One sentence for people. */
  message: string;
  /** Facts: `{host, step, command, exit_code, signal, log, health, …}`, those that are known. */
  details?: Record<string, unknown>;
}

/** Data of `deployment_progress`. */
export interface DeploymentProgressData {
  /** Deployment id. */
  deployment_id: string;
  /** Service name. */
  service: string;
  /** Instance id, or `null` where the event is of the whole deployment. */
  id: string | null;
  /** Host label, or `null` where the event is of the whole deployment. */
  host: string | null;
  /** Which step. */
  step: DeployStep;
  /** Status of the step. */
  status: StepStatus;
  /** 0 to 100 within the step, where known. */
  percent?: number;
  /** Bytes moved so far, where the step moves bytes. */
  bytes?: number;
  /** Bytes to move. */
  total_bytes?: number;
  /** One line for people. */
  message?: string;
  /** With `step: "finish"` and a host: how it ended there. */
  outcome?: HostOutcome;
  /** With `step: "finish"` and `host: null`: how the whole deployment ended. */
  deployment_status?: DeploymentStatus;
  /** When, RFC 3339 UTC. */
  at: string;
  /** With `status: "failed"`: what is known of the failure. */
  error?: DeployFailure;
}

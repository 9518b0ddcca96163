/**
 * Exit codes, and the one for an error or a deployment.
 *
 * @module
 */
import type { DeploymentStatus, HostOutcome } from "../model/deployment.ts";
import { type ErrorCode, HarnessError } from "../errors.ts";

/** The exit codes; docs/cli.md explains each. */
export const EXIT = {
  /** Done. */
  ok: 0,
  /** Failed, for the reason printed. */
  failure: 1,
  /** Unknown flag or command, missing or malformed value. */
  usage: 2,
  /** Fine on some hosts, not on others. */
  partial: 3,
  /** The server does not answer, or no host could be reached. */
  unreachable: 4,
  /** Timed out. */
  timeout: 5,
  /** Failed, and every host is back on the version before. */
  rolledBack: 6,
  /** Failed, and a host could not be put back. */
  rollbackFailed: 7,
  /** Another deployment holds the host, or another server the state directory. */
  locked: 8,
  /** Its terminal was closed. */
  hungUp: 129,
  /** Interrupted by SIGINT. */
  interrupted: 130,
  /** Ended by SIGTERM. */
  terminated: 143,
} as const;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  invalid_params: EXIT.usage,
  invalid_request: EXIT.usage,
  unreachable: EXIT.unreachable,
  timeout: EXIT.timeout,
};

/** The exit code for an error. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof HarnessError)) return EXIT.failure;
  if (isLocked(error)) return EXIT.locked;
  return BY_CODE[error.code] ?? EXIT.failure;
}

/** What {@linkcode deploymentExitCode} needs of a finished deployment. */
export interface DeploymentEnd {
  /** How the whole deployment ended. */
  status: DeploymentStatus;
  /** How it ended on each host. */
  hosts: readonly {
    /** How it ended there, or `null` when it did not. */
    outcome: HostOutcome | null;
    /** What went wrong there. */
    error?: { code: string; details?: Record<string, unknown> } | null | undefined;
  }[];
}

/** The exit code for a deployment that ended (or is still under way: 0). */
export function deploymentExitCode(end: DeploymentEnd): number {
  const outcomes = end.hosts.map((host) => host.outcome);
  if (outcomes.includes("rollback_failed")) return EXIT.rollbackFailed;
  if (["succeeded", "queued", "running"].includes(end.status)) return EXIT.ok;
  if (end.status === "partial") return EXIT.partial;
  const bad = end.hosts.filter((host) => host.outcome !== "ok" && host.outcome !== "skipped");
  const all = (test: (host: DeploymentEnd["hosts"][number]) => boolean) =>
    bad.length > 0 && bad.every(test);
  if (all((host) => host.error !== null && host.error !== undefined && isLocked(host.error))) {
    return EXIT.locked;
  }
  if (all((host) => host.outcome === "unreachable")) return EXIT.unreachable;
  if (end.status === "rolled_back" || all((host) => host.outcome === "rolled_back")) {
    return EXIT.rolledBack;
  }
  if (all((host) => host.error?.code === "timeout")) return EXIT.timeout;
  return EXIT.failure;
}

/** Whether another deployment holds the host, or another process the state directory. */
function isLocked(error: { code: string; details?: Record<string, unknown> | undefined }): boolean {
  const { code, details = {} } = error;
  if (code !== "conflict") return false;
  return details["reason"] === "locked" || ["owner", "pid", "dir"].some((key) => key in details);
}

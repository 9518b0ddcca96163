/**
 * What all controllers share: running a control command and the shape of their errors.
 *
 * @module
 */
import { HarnessError, messageOf } from "../../errors.ts";
import type { Command, Executor, RunOptions, RunResult } from "../../executor/executor.ts";
import { START_SETTLE_MS } from "../limits.ts";
import type { ExitStatus } from "../exit_status.ts";
import type { ServiceStatus, SpecExecution } from "../service_spec.ts";

/** How long a started program must stay alive, in the tenths of a second that the start scripts count. */
export function settleTenths(settleMs: number = START_SETTLE_MS): string {
  return String(Math.ceil(settleMs / 100));
}

/** What went wrong, for {@linkcode controlError}. */
export interface ControlFailure {
  /** Why; it names the thing that failed. */
  reason: string;
  /** How the program ended, when it did. */
  exit?: ExitStatus;
  /** Its last log lines. */
  log?: readonly string[];
}

/** How systemctl and docker report that they are not there, or have no such unit: then nothing can be running. */
const ABSENT =
  /has not been booted with systemd|systemctl: (command )?not found|unit \S+ not loaded|docker is not installed/i;

/**
 * The error of a start, stop or reload that did not work: `unavailable` with exit code, signal and log in its details,
 * and `absent` where the service cannot be running at all.
 */
export function controlError(head: string, failure: ControlFailure): HarnessError {
  const exit = failure.exit ?? { exitCode: null, signal: null };
  const last = failure.log?.findLast((line) => line.trim() !== "");
  const tail = failure.exit && last !== undefined ? `; its last line was: ${last}` : "";
  return new HarnessError("unavailable", `${head}: ${failure.reason}${tail}`, {
    details: {
      reason: failure.reason,
      exit_code: exit.exitCode,
      signal: exit.signal,
      log: [...(failure.log ?? [])],
      ...(ABSENT.test(failure.reason) && { absent: true }),
    },
  });
}

/** The usual cause when a foreground program ends with code 0: it went into the background. Else empty. */
export function daemonHint(execution: SpecExecution, end: ExitStatus): string {
  const stays = execution.type === "managed_process" && execution.start === "foreground";
  return stays && end.exitCode === 0
    ? " (if it runs on in the background, its manifest needs start: daemon)"
    : "";
}

/** Runs a control command; a deadline reads "Cannot <what>: …" and carries the details of every control error. */
export async function runControl(
  executor: Executor,
  command: Command,
  options: RunOptions & { what: string; timeoutMs: number },
): Promise<RunResult> {
  const { what, ...run } = options;
  try {
    return await executor.run(command, run);
  } catch (error) {
    if (!(error instanceof HarnessError) || error.code !== "timeout") throw error;
    throw new HarnessError(
      "timeout",
      `Cannot ${what} on ${executor.host}: no response within ${options.timeoutMs} ms`,
      {
        details: { reason: "timeout", exit_code: null, signal: null, log: [] },
        cause: error,
      },
    );
  }
}

/** The facts that a failed start carries in its details. */
export function failureFacts(error: unknown): {
  exitCode: number | null;
  reason: string;
  log: string[];
  status: ServiceStatus;
} {
  const details = error instanceof HarnessError ? error.details ?? {} : {};
  const exitCode = typeof details.exit_code === "number" ? details.exit_code : null;
  const signal = typeof details.signal === "string" ? details.signal : null;
  const reason = typeof details.reason === "string" ? details.reason : messageOf(error);
  return {
    exitCode,
    reason,
    log: Array.isArray(details.log) ? details.log.map(String) : [],
    status: { running: false, pid: null, containerId: null, exitCode, signal, detail: reason },
  };
}

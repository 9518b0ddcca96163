/**
 * Converts errors to the failures that a deployment reports. Pure.
 *
 * @module
 */
import type { DeployFailure, DeployStep } from "../model/deployment.ts";
import { HarnessError, messageOf, toHarnessError } from "../errors.ts";

/** Where a failure happened. */
export interface FailurePlace {
  /** Host label. */
  host: string;
  /** Step. */
  step: DeployStep;
  /** Id of the service in the registry, or `null` if it is not registered. */
  instance: string | null;
  /** Command that shows the log of the service, or `null`. */
  log: string | null;
}

/** The failure to report for `error`: code and details of a known error, else `internal`. */
export function toFailure(error: unknown, place: FailurePlace): DeployFailure {
  const known = fromAbort(error) ?? toHarnessError(error);
  const next = nextStep(known, place);
  return {
    // `unavailable` means a server to be asked again later; here a release failed.
    code: known.code === "unavailable" ? "deploy_failed" : known.code,
    message: known.message,
    details: {
      host: place.host,
      step: place.step,
      ...known.details,
      ...(next === null ? {} : { next }),
    },
  };
}

/** The error for an aborted signal without a reason of ours. */
function fromAbort(error: unknown): HarnessError | null {
  if (error instanceof HarnessError || !(error instanceof DOMException)) return null;
  const code = error.name === "TimeoutError" ? "timeout" : "cancelled";
  return new HarnessError(code, `Cannot continue: ${error.message}`, { cause: error });
}

/** The error that reports a cancel with `reason`, of whatever type. */
export function cancelError(reason: unknown): HarnessError {
  return fromAbort(reason) ??
    (reason instanceof HarnessError
      ? reason
      : new HarnessError("cancelled", `Cannot continue: ${messageOf(reason)}`, {
        cause: reason,
      }));
}

function nextStep(error: HarnessError, place: FailurePlace): string | null {
  if (error.code === "cancelled") return null;
  switch (place.step) {
    case "start":
    case "health":
      return `${
        place.log === null ? "" : `check its log (${place.log}), `
      }fix the package and deploy a new version`;
    case "rollback":
      return `check ${place.host} now${
        place.instance === null ? "" : `: harness-ws-server service get ${place.instance}`
      }`;
    case "connect":
      return "fix the connection and run the same deployment again; hosts that are up to date are skipped";
    default:
      return error.retryable ? "run the same deployment again" : null;
  }
}

/** The error for a host that did not respond within the time for connect, lock and preflight. */
export function lateError(
  at: { service: string; target: { label: string }; step: DeployStep },
  limitMs: number,
): HarnessError {
  const { service, target: { label }, step } = at;
  const what = step === "connect" ? `connect to ${label}` : `${step} ${service} on ${label}`;
  return new HarnessError(
    "unreachable",
    `Cannot ${what}: no response within ${limitMs / 1000} s; ` +
      "check its load, its disk and the login shell of the user",
    { details: { host: label, step, reason: "hangs" } },
  );
}

/**
 * From anything thrown to the failure that is reported. Pure.
 *
 * @module
 */
import type { DeployFailure, DeployStep } from "../model/deployment.ts";
import { HarnessError, messageOf, toHarnessError } from "../errors.ts";

/** What is known where something failed. */
export interface FailurePlace {
  /** Host label. */
  host: string;
  /** Step. */
  step: DeployStep;
  /** What the service is called in the registry, or `null` where nobody can ask it. */
  instance: string | null;
  /** How to see the log of the service, or `null`. */
  log: string | null;
}

/** The report of `error`: a known error with its details, or `internal` with none. */
export function toFailure(error: unknown, place: FailurePlace): DeployFailure {
  const known = fromAbort(error) ?? toHarnessError(error);
  const next = nextStep(known, place);
  return {
    // "unavailable" is about a server that may be asked again; this is about a release that did not work.
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

/** What an aborted signal throws when its owner gave no reason of our kind. */
function fromAbort(error: unknown): HarnessError | null {
  if (error instanceof HarnessError || !(error instanceof DOMException)) return null;
  const code = error.name === "TimeoutError" ? "timeout" : "cancelled";
  return new HarnessError(code, `Cannot go on: ${error.message}`, { cause: error });
}

/** What a cancel with this reason is reported as, whatever kind of reason its owner gave. */
export function cancelError(reason: unknown): HarnessError {
  return fromAbort(reason) ??
    (reason instanceof HarnessError
      ? reason
      : new HarnessError("cancelled", `Cannot go on: ${messageOf(reason)}`, { cause: reason }));
}

function nextStep(error: HarnessError, place: FailurePlace): string | null {
  if (error.code === "cancelled") return null;
  switch (place.step) {
    case "start":
    case "health":
      return `${
        place.log === null ? "" : `look at its log (${place.log}), `
      }correct the package and deploy a new version`;
    case "rollback":
      return `look at ${place.host} now${
        place.instance === null ? "" : `: harness-ws-server service get ${place.instance}`
      }`;
    case "connect":
      return "correct the connection and run the same deployment again: hosts that have it are left alone";
    default:
      return error.retryable ? "run the same deployment again" : null;
  }
}

/** Of a host that logs us in, perhaps, and then does not answer within the time for connecting, locking and looking. */
export function lateError(
  at: { service: string; target: { label: string }; step: DeployStep },
  limitMs: number,
): HarnessError {
  const { service, target: { label }, step } = at;
  const what = step === "connect" ? `connect to ${label}` : `${step} ${service} on ${label}`;
  return new HarnessError(
    "unreachable",
    `Cannot ${what}: it has not answered within ${limitMs / 1000} s; ` +
      "look at its load, its disk and the login shell of the user",
    { details: { host: label, step, reason: "hangs" } },
  );
}

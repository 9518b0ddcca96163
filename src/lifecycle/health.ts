/**
 * Health checks, executed on the service's own machine.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import type { Executor } from "../executor/executor.ts";
import type { ServiceSpec } from "./service_spec.ts";

/** What one health check found. Holds the fields of the registry's `HealthResult`. */
export interface HealthCheckResult {
  /** Whether the check passed; a warning passes. */
  healthy: boolean;
  /** The verdict in full: a script's exit 1 is a `warning`. */
  status: "ok" | "warning" | "critical";
  /** What the check said, one line for people. */
  message: string;
  /** HTTP status that came back, for http probes that got an answer. */
  httpStatus: number | null;
  /** The script's output or the beginning of the HTTP body, or `null`. */
  output: string | null;
  /** When it ended, RFC 3339 UTC. */
  checked_at: string;
  /** How long it took, in milliseconds. */
  duration_ms: number;
}

/** Options for {@linkcode checkHealth}. */
export interface CheckHealthOptions {
  /** Kills the check and rejects with `signal.reason`. */
  signal?: AbortSignal;
}

/** Options for {@linkcode waitUntilHealthy}. */
export interface WaitUntilHealthyOptions extends CheckHealthOptions {
  /** Time after which the service counts as not healthy. */
  timeoutMs: number;
  /** Called with each result. */
  onResult?: (result: HealthCheckResult) => void;
}

/**
 * Checks the service once. Without a health check in its spec: whether it runs.
 *
 * A check that fails or hangs is a result, not an exception; only a machine that cannot be reached rejects
 * (`unreachable`), because that says nothing about the service.
 */
export function checkHealth(
  executor: Executor,
  spec: ServiceSpec,
  _options: CheckHealthOptions = {},
): Promise<HealthCheckResult> {
  throw new HarnessError(
    "unavailable",
    `Cannot check ${spec.name} on ${executor.host}: not in place yet`,
  );
}

/**
 * Checks until the service has been healthy `spec.health.successes` times in a row.
 *
 * Rejects with `unavailable` and details `{reason, exit_code, signal, log, health}` as soon as the service has
 * ended or `timeoutMs` is over; `health` is the last {@linkcode HealthCheckResult}.
 */
export function waitUntilHealthy(
  executor: Executor,
  spec: ServiceSpec,
  _options: WaitUntilHealthyOptions,
): Promise<HealthCheckResult> {
  throw new HarnessError(
    "unavailable",
    `Cannot check ${spec.name} on ${executor.host}: not in place yet`,
  );
}

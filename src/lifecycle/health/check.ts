/**
 * Health checks, executed on the service's own machine.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import { FAILURE_LOG_LINES, WAIT_HEALTHY_FIRST_POLL_MS, WAIT_HEALTHY_POLL_MS } from "../limits.ts";
import { daemonHint } from "../drivers/run_control.ts";
import { createController } from "../controller.ts";
import { describeEnd } from "../exit_status.ts";
import { type HealthStatus, runProbe, type Verdict } from "./probe.ts";
import type { ServiceSpec } from "../service_spec.ts";
import { sleep } from "../../util/async.ts";

/** What one health check found. Holds the fields of the registry's `HealthResult`. */
export interface HealthCheckResult {
  /** Whether the check passed; a warning passes. */
  healthy: boolean;
  /** The verdict in full: a script's exit 1 is a `warning`. */
  status: HealthStatus;
  /** Result of the check, one line for people. */
  message: string;
  /** HTTP status that came back, for http probes that got an answer. */
  http_status: number | null;
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
  /** Whether it runs as a systemd unit. Left out: the machine is asked. */
  systemd?: boolean;
  /** Makes a health script a background command: called when its connection has no room for another one. */
  onCrowded?: () => void;
}

/** Options for {@linkcode waitUntilHealthy}. */
export interface WaitUntilHealthyOptions extends CheckHealthOptions {
  /** Time after which the service counts as not healthy. */
  timeoutMs: number;
  /** Longest pause between two checks. @default {WAIT_HEALTHY_POLL_MS} */
  pollMs?: number | undefined;
  /** Called with each result. */
  onResult?: (result: HealthCheckResult) => void;
}

/**
 * Checks the service once. Without a health check in its spec: whether it runs.
 *
 * A check that fails or hangs is a result, not an exception; only a machine that cannot be reached rejects
 * (`unreachable`), because that proves nothing about the service, and `signal` rejects with its reason.
 */
export async function checkHealth(
  executor: Executor,
  spec: ServiceSpec,
  options: CheckHealthOptions = {},
): Promise<HealthCheckResult> {
  options.signal?.throwIfAborted();
  const started = performance.now();
  const verdict = await judge(executor, spec, options);
  return {
    healthy: verdict.status !== "critical",
    ...verdict,
    checked_at: new Date().toISOString(),
    duration_ms: Math.round(performance.now() - started),
  };
}

async function judge(
  executor: Executor,
  spec: ServiceSpec,
  { signal, systemd, onCrowded }: CheckHealthOptions,
): Promise<Verdict> {
  if (spec.health === null) {
    const controller = createController(executor, spec, { systemd });
    const status = await controller.status(signal ? { signal } : {});
    return {
      status: status.running ? "ok" : "critical",
      message: status.detail,
      http_status: null,
      output: null,
    };
  }
  const { probe, timeoutMs } = spec.health;
  try {
    return await runProbe(probe, { executor, spec, timeoutMs, signal, onCrowded });
  } catch (error) {
    if (signal?.aborted || !isTimeout(error)) throw error;
    return {
      status: "critical",
      message: `${probe.type} check: no response within ${timeoutMs} ms`,
      http_status: null,
      output: null,
    };
  }
}

/**
 * Checks until the service has been healthy `spec.health.successes` times in a row.
 *
 * Rejects with `unavailable` and details `{reason, exit_code, signal, log, health}` as soon as the service has
 * ended or `timeoutMs` is over; `health` is the last {@linkcode HealthCheckResult}.
 */
export async function waitUntilHealthy(
  executor: Executor,
  spec: ServiceSpec,
  options: WaitUntilHealthyOptions,
): Promise<HealthCheckResult> {
  const deadline = performance.now() + options.timeoutMs;
  const control = options.signal ? { signal: options.signal } : {};
  const { systemd } = options;
  const controller = createController(executor, spec, { systemd });
  const check = systemd === undefined ? control : { ...control, systemd };
  let successes = 0;
  // Most services listen within a moment of their start.
  let pauseMs = WAIT_HEALTHY_FIRST_POLL_MS;
  while (true) {
    const result = await checkHealth(executor, spec, check);
    options.onResult?.(result);
    successes = result.healthy ? successes + 1 : 0;
    if (successes >= (spec.health?.successes ?? 1)) return result;
    if (!result.healthy) {
      const status = await controller.status(control);
      const over = performance.now() >= deadline;
      if (!status.running || over) {
        const log = await controller.logs(FAILURE_LOG_LINES, { ...control, lastRun: true })
          .catch(() => []);
        const reason = status.running
          ? `not healthy within ${options.timeoutMs} ms: ${result.message}`
          : `it ${describeEnd(status)} while its health was waited for`;
        throw new HarnessError(
          "unavailable",
          `Cannot keep ${spec.name} on ${executor.host}: it started, but ${
            status.running ? `was ${reason}` : `${reason}${daemonHint(spec.execution, status)}`
          }`,
          {
            details: {
              reason,
              exit_code: status.exitCode,
              signal: status.signal,
              log,
              health: { ...result },
            },
          },
        );
      }
    }
    const { pollMs = WAIT_HEALTHY_POLL_MS } = options;
    await sleep(Math.min(pauseMs, pollMs, spec.health?.intervalMs ?? pollMs), control.signal);
    pauseMs *= 2;
    control.signal?.throwIfAborted();
  }
}

function isTimeout(error: unknown): boolean {
  return (error instanceof HarnessError && error.code === "timeout") ||
    (error instanceof DOMException && error.name === "TimeoutError");
}

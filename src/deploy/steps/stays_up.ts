/**
 * Whether a release that was just started is healthy and stays up.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { driverFor } from "../../lifecycle/drivers/table.ts";
import {
  checkHealth,
  type HealthCheckResult,
  waitUntilHealthy,
} from "../../lifecycle/health/check.ts";
import { START_SETTLE_MS } from "../../lifecycle/limits.ts";
import type { ServiceSpec, ServiceStatus } from "../../lifecycle/service_spec.ts";
import { sleep } from "../../util/async.ts";
import type { EarlyCheck, HostContext, StartedRelease } from "../host/context.ts";
import { type ReleaseRecord, specOf } from "../host/state.ts";
import { DEPLOY_LOG_LINES } from "../limits.ts";

/**
 * Tries a health script while its program is not up: one that fails then looks at the program. Begun before the start, so
 * that it is there first, and waited for no longer than the program would have to stay up without it.
 */
export function beginEarlyCheck(context: HostContext, release: ReleaseRecord): EarlyCheck | null {
  if (!hasHealthScript(release)) return null;
  const stop = new AbortController();
  const failed = new AbortController();
  const abandon = () => stop.abort(new HarnessError("cancelled", "Its result is not needed"));
  const ended = checkHealth(context.machine, specOf(release), {
    systemd: context.isUnit(release),
    signal: AbortSignal.any([context.signal, stop.signal]),
    onCrowded: abandon,
  }).then(({ healthy }) => healthy ? undefined : failed.abort(), () => undefined);
  return {
    failed: failed.signal,
    async end() {
      abandon();
      await ended;
    },
  };
}

/** Whether the health check of a release is a script, which may look at anything. */
function hasHealthScript(release: ReleaseRecord): boolean {
  return specOf(release).health?.probe.type === "script";
}

/** How long is waited, and who hears of it. */
export interface WaitUntilUpOptions {
  /** Time after which it counts as not healthy. */
  timeoutMs: number;
  /** Called with each result of its health check. */
  onResult?: (result: HealthCheckResult) => void;
  /** Its health script while it was not up; `null` where that was not tried. */
  early: EarlyCheck | null;
}

/**
 * Waits until the release is healthy, and then checks that it still runs.
 *
 * A health script may not look at the program at all. One that failed before does, and so does every http or tcp check:
 * its port was free before the start. After any other, the program must have stayed up as long as one without a check.
 */
export async function waitUntilUp(
  context: HostContext,
  started: StartedRelease,
  options: WaitUntilUpOptions,
): Promise<{ health: HealthCheckResult; status: ServiceStatus }> {
  const { machine, signal, plan: { timing } } = context;
  const { release, at } = started;
  const { early } = options;
  const spec = specOf(release);
  let failed = false;
  const health = await waitUntilHealthy(machine, spec, {
    timeoutMs: options.timeoutMs,
    pollMs: timing?.healthPollMs,
    systemd: context.isUnit(release),
    signal,
    onResult(seen) {
      failed ||= !seen.healthy;
      options.onResult?.(seen);
    },
  });
  if (hasHealthScript(release) && !failed) {
    const settleMs = timing?.settleMs ?? START_SETTLE_MS;
    const known = early === null ? signal : AbortSignal.any([signal, early.failed]);
    await sleep(Math.max(0, at + settleMs - performance.now()), known);
    signal.throwIfAborted();
  }
  const status = await context.controller(release).status({ signal });
  const reason = whyDown(context, started, { status, failed });
  if (reason === null) return { health, status };
  const log = await context.controller(release).logs(DEPLOY_LOG_LINES, { signal, lastRun: true })
    .catch(() => []);
  throw new HarnessError(
    "unavailable",
    `Cannot keep ${context.service} on ${context.target.label}: its health check passed, but it stopped: ${reason}`,
    {
      details: {
        reason,
        exit_code: status.exitCode,
        signal: status.signal,
        log,
        health: { ...health },
      },
    },
  );
}

/** Why the release is not up, or `null` if it is. */
function whyDown(
  context: HostContext,
  { release, status: begun }: StartedRelease,
  { status, failed }: { status: ServiceStatus; failed: boolean },
): string | null {
  if (!status.running) return status.detail;
  // A unit or container that ends is started again before anybody sees it. One that was not healthy at once may have
  // needed that.
  const again = !failed && canBeStartedAgain(context, specOf(release), release) &&
    hasRestarted(begun, status);
  return again ? "it ended, and its service manager started it again" : null;
}

/** By the count of its service manager, where it has one: a main process may hand over to another. */
function hasRestarted(begun: ServiceStatus, now: ServiceStatus): boolean {
  if (typeof begun.restarts === "number" && typeof now.restarts === "number") {
    return begun.restarts !== now.restarts;
  }
  return begun.pid !== null && now.pid !== null && begun.pid !== now.pid;
}

/** Whether a service manager starts it again, and a process of its own choice is not the main one of a daemon. */
function canBeStartedAgain(
  context: HostContext,
  { execution }: ServiceSpec,
  release: ReleaseRecord,
): boolean {
  const isDaemon = execution.type === "managed_process" && execution.start === "daemon";
  return !isDaemon && driverFor(execution, context.isUnit(release)).restartsItself;
}

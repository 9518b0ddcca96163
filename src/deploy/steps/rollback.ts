/**
 * Step `rollback`: restores the previous release after a failure between `switch` and `commit`.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { HarnessError, messageOf } from "../../errors.ts";
import { driverFor } from "../../lifecycle/drivers/table.ts";
import { DEPLOY_COMMAND_TIMEOUT_MS } from "../limits.ts";
import { commitCommand, recordCommand, switchBackCommand } from "../host/release/commands.ts";
import type { HostContext, StepResult } from "../host/context.ts";
import { forgetRecoveryCommand } from "../host/recovery.ts";
import { parseFacts } from "../host/lock/facts.ts";
import { factsCommand } from "../host/lock/commands.ts";
import { parseState, type ReleaseRecord, specOf, stateText, undone } from "../host/state.ts";
import { healthTimeoutMs } from "../health_timeout.ts";
import { previousPlace, startRelease } from "./activate.ts";
import { waitUntilUp } from "./stays_up.ts";

/** Stops the new release, points back, starts the previous one if it ran, waits until it is healthy, records it. */
export async function rollback(context: HostContext, reason: string): Promise<StepResult> {
  const { chosen, previous, place, signal } = context;
  let stopProblem: unknown = null;
  try {
    await context.controller(chosen).stop({ signal });
    if (previous === null) await removeUnit(context, chosen);
  } catch (error) {
    // Continue anyway: half a rollback is worse than two problems in one report.
    if (!nothingToStop(error)) stopProblem = error;
  }
  const back = previousPlace(context, context.previousRan);
  await context.run(switchBackCommand(place, back));
  context.status = null;
  if (back !== null && back.start) {
    const started = await startRelease(context, back.release);
    const timeoutMs = healthTimeoutMs(back.spec);
    const found = await waitUntilUp(context, started, { timeoutMs, early: null });
    context.status = found.status;
  }
  // Only now: until the previous release runs, the watchdog must be able to finish this if we die.
  context.state = undone(context.state, chosen.id, reason);
  await context.send(stateText(context.state), (bytes) => commitCommand(place, bytes));
  context.phase = "locked";
  if (stopProblem !== null) {
    throw new HarnessError(
      "deploy_failed",
      `Cannot stop ${context.service} ${chosen.version} on ${context.target.label}: ${
        messageOf(stopProblem)
      }`,
      { cause: stopProblem },
    );
  }
  if (previous === null) {
    return { message: `stopped ${chosen.version}; there was no version before` };
  }
  return { message: describeBack(context, previous) };
}

/** Removes what the stop of a first release that failed left behind: there was nothing before. */
async function removeUnit(context: HostContext, release: ReleaseRecord): Promise<void> {
  const spec = specOf(release);
  const command = driverFor(spec.execution, context.isUnit(release)).removeCommand?.(spec);
  if (command !== undefined) await context.run(command);
}

/** Describes the restored release. */
function describeBack({ previousRan }: HostContext, { version }: ReleaseRecord): string {
  return previousRan
    ? `${version} runs again`
    : `${version} is active again; it did not run before`;
}

/** After a committed rollback whose failed release could not be stopped: the record is correct. */
function notStopped(context: HostContext): { message: string; next: string } {
  const { chosen, previous, target } = context;
  const back = previous === null ? "" : `${describeBack(context, previous)}, but `;
  return {
    message: `${back}${chosen.version} could not be stopped on ${target.label}`,
    next: `stop what is left of ${chosen.version} on ${target.label}`,
  };
}

/**
 * After a failed rollback: records the release as bad if possible, and reports what runs. The switch stays recorded as
 * pending: the next deployment begins by undoing it.
 */
export async function recordFailedRollback(
  context: HostContext,
  reason: string,
): Promise<{ message: string; next: string }> {
  if (context.phase === "locked") return notStopped(context);
  const { chosen, place, previous, service, state, target } = context;
  context.signal = AbortSignal.timeout(DEPLOY_COMMAND_TIMEOUT_MS);
  const marked = { ...undone(state, chosen.id, reason), pending: state.pending };
  try {
    await context.send(stateText(marked), (bytes) => recordCommand(place, bytes));
    context.state = marked;
  } catch (error) {
    getLogger(["harness", "deploy"]).warn("marking {release} on {host} as bad: {error}", {
      release: chosen.id,
      host: target.label,
      error,
    });
  }
  const running = await isRunning(context, previous?.spec ? previous : chosen);
  const log = context.logHint === null ? "" : ` (its log: ${context.logHint})`;
  const now = running === null ? "may be down" : running ? "still runs" : "is down";
  const message = `rollback failed; ${service} ${now} on ${target.label}`;
  if (previous === null) {
    return {
      message,
      next: `stop what is left of ${chosen.version} there${log}, then deploy again`,
    };
  }
  const first = state.pending === null ? "" : `: that first restores ${previous.version}`;
  return {
    message,
    next: `fix what keeps ${previous.version} from running there${log}, ` +
      `then deploy again${first}`,
  };
}

/** Whether it runs, or `null` if unknown. */
async function isRunning(context: HostContext, release: ReleaseRecord): Promise<boolean | null> {
  try {
    return (await context.controller(release).status({ signal: context.signal })).running;
  } catch {
    // The host is in trouble: unknown is an answer.
    return null;
  }
}

/** Whether what was to stop the release is not installed, or does not know it: then it cannot be running. */
function nothingToStop(error: unknown): boolean {
  return error instanceof HarnessError && error.details?.["absent"] === true;
}

/** Whether a commit whose answer was lost has happened: the record on the host decides. */
export async function wasCommitted(context: HostContext): Promise<boolean> {
  const { plan, chosen, place, target, service, layout } = context;
  const result = await context.run(factsCommand(place, context.query));
  const facts = parseFacts(result.stdout, target.label);
  const state = parseState(facts.stateText, service, layout.state);
  const release = state.releases.find((r) => r.id === state.active);
  const done = state.pending === null && release?.id === chosen.id &&
    release.deployment_id === plan.deploymentId;
  if (done) {
    await context.run(forgetRecoveryCommand(place));
    context.state = state;
    context.phase = "committed";
  }
  return done;
}

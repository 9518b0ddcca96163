/**
 * Steps `switch`, `start`, `health`, `commit` and `prune`: the release becomes the active one.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { DEPLOY_EXTRACT_TIMEOUT_MS, DEPLOY_SETTLE_MS, KEEP_RELEASES } from "../limits.ts";
import { sanitizeName } from "../../package/names.ts";
import { driverFor } from "../../lifecycle/drivers/table.ts";
import {
  commitCommand,
  giveDirsCommand,
  hasBegunToSwitch,
  hasSwept,
  pruneCommand,
  type SweepLists,
  switchCommand,
} from "../host/release/commands.ts";
import type { HostContext, StartedRelease, StepResult } from "../host/context.ts";
import {
  committed,
  dirOwner,
  type HostState,
  prunable,
  type ReleaseRecord,
  specOf,
  stateText,
  switching,
  undone,
  withImageId,
  without,
  withRelease,
} from "../host/state.ts";
import { otherRun } from "../host/occupied.ts";
import { type ActivePlace, recoveryScript } from "../host/recovery.ts";
import { healthTimeoutMs } from "../health_timeout.ts";
import { sleep } from "../../util/async.ts";
import { beginEarlyCheck, waitUntilUp } from "./stays_up.ts";

/** Points `current` to the release, after writing the script that undoes it. */
export async function switchRelease(context: HostContext): Promise<StepResult> {
  const { chosen, plan, previous, place } = context;
  const before = context.state;
  const script = recoveryScript({
    place,
    stop: { spec: specOf(chosen), unit: context.isUnit(chosen) },
    back: previousPlace(context, context.previousRan),
    state: undone(before, chosen.id, `${plan.deploymentId} was interrupted`),
  });
  // From here on the switch may have happened, even if its response is lost.
  context.phase = "switched";
  context.state = switching(before, plan.deploymentId, chosen, context.previousRan);
  const text = stateText(context.state);
  const result = await context.attempt(
    switchCommand(place, {
      dir: chosen.dir,
      envName: chosen.env ?? "",
      scriptBytes: byteLength(script),
      stateBytes: byteLength(text),
    }),
    { stdin: script + text },
  );
  if (result.exitCode !== 0 && !hasBegunToSwitch(result.stdout)) {
    context.phase = "locked";
    context.state = before;
  }
  context.check(result);
  return {
    message: previous === null ? chosen.version : `${previous.version} → ${chosen.version}`,
  };
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** The previous release, for a rollback. */
export interface PreviousPlace extends ActivePlace {
  /** Its record. */
  release: ReleaseRecord;
}

/** The previous release, for a rollback; `null` if there is none. */
export function previousPlace(
  context: HostContext,
  start: boolean,
): PreviousPlace | null {
  const { previous } = context;
  if (previous === null || previous.spec === null || previous.env === null) return null;
  const { dir, env, spec } = previous;
  const owner = dirOwner(previous, context.chosen);
  const unit = context.isUnit(previous);
  return { dir, envName: env, owner, spec, unit, start, release: previous };
}

/** Stops the old release and starts the new one. */
export async function start(context: HostContext): Promise<StepResult> {
  const { previous, chosen, signal } = context;
  if (previous?.spec) {
    context.news({ message: `stopping ${previous.version}` });
    await context.controller(previous).stop({ signal });
  }
  const owner = dirOwner(chosen, previous);
  if (owner !== "") await context.run(giveDirsCommand(context.place, owner));
  context.news({ message: `starting ${chosen.version}` });
  context.early = beginEarlyCheck(context, chosen);
  try {
    const started = await startRelease(context, chosen);
    const { status } = started;
    context.release = withImageId(chosen, status);
    context.started = started;
    context.status = status;
    assertOwnRun(context);
    return { message: status.detail };
  } catch (error) {
    await context.early?.end();
    throw error;
  }
}

/** Throws if the running service is not the one that this deployment started. */
function assertOwnRun(context: HostContext): void {
  const { status, chosen, started, service, target } = context;
  const run = started?.status.identity?.runId ?? null;
  const why = status === null ? null : otherRun(status, { dir: chosen.dir, started: run });
  if (why === null) return;
  throw new HarnessError(
    "conflict",
    `Cannot keep ${service} ${chosen.version} on ${target.label}: something else runs in its place (${why}); ` +
      "check what started it",
    { details: { reason: "other_run", identity: { ...status?.identity } } },
  );
}

/** Starts a release; a failure has its command in the details. */
export async function startRelease(
  context: HostContext,
  release: ReleaseRecord,
): Promise<StartedRelease> {
  try {
    const status = await context.controller(release).start({ signal: context.signal });
    return { release, status, at: performance.now() };
  } catch (error) {
    if (context.signal.aborted || !(error instanceof HarnessError)) throw error;
    const spec = specOf(release);
    const command = driverFor(spec.execution, context.isUnit(release)).startHint(spec);
    throw new HarnessError(error.code, error.message, {
      details: { command, ...error.details },
      cause: error,
    });
  }
}

/** Waits until the release is healthy, and checks that it is the one that was started. */
export async function health(context: HostContext): Promise<StepResult> {
  const { chosen, started, plan, signal, early } = context;
  if (started === null) throw new Error(`${chosen.id} was not started`);
  const spec = specOf(chosen);
  if (spec.health === null) {
    await sleep(plan.timing?.settleMs ?? DEPLOY_SETTLE_MS, signal);
    signal.throwIfAborted();
  }
  const found = await waitUntilUp(context, started, {
    timeoutMs: plan.healthTimeoutMs ?? healthTimeoutMs(spec),
    onResult: (seen) => context.news({ message: seen.message }),
    early,
  }).finally(() => early?.end());
  context.status = found.status;
  assertOwnRun(context);
  if (spec.health !== null) context.health = found.health;
  return { message: found.health.message };
}

/** Records the release as good and active: the point of no return. */
export async function commit(context: HostContext): Promise<StepResult> {
  const { chosen, plan, place } = context;
  const state = committed(context.state, chosen, {
    keepPlace: plan.kind === "rollback",
    at: new Date().toISOString(),
  });
  const { stdout } = await context.send(
    stateText(state),
    (bytes) => commitCommand(place, bytes, keptBy(state)),
    { timeoutMs: DEPLOY_EXTRACT_TIMEOUT_MS },
  );
  context.state = state;
  context.phase = "committed";
  context.swept = hasSwept(stdout);
  return {};
}

/** What a record needs of the bookkeeping of its service. */
function keptBy({ releases }: HostState): SweepLists {
  return { keepEnvs: releases.flatMap((r) => r.env ?? []), keepRuns: releases.map((r) => r.id) };
}

/** Removes old releases. */
export async function prune(context: HostContext): Promise<StepResult> {
  const gone = prunable(context.state, context.plan.keepReleases ?? KEEP_RELEASES);
  if (gone.length > 0 || !context.swept) await remove(context, gone);
  return gone.length === 0
    ? { message: "nothing to remove" }
    : { message: `removed ${gone.map((r) => r.id).join(", ")}` };
}

/**
 * After a failure: removes failed releases beyond those kept as evidence, and the env file of the failed one. Good
 * releases are kept until a deployment succeeds.
 */
export async function pruneBad(context: HostContext): Promise<void> {
  const { state, release, place } = context;
  // Before a release is selected, the state may not be that of the host.
  if (release === null) return;
  const gone = prunable(state, Infinity);
  const ownEnv = release.env?.includes(place.token) === true;
  if (gone.length > 0 || ownEnv) await remove(context, gone);
}

async function remove(context: HostContext, gone: readonly ReleaseRecord[]): Promise<void> {
  const { layout, place, service } = context;
  const state = without(context.state, gone);
  const used = new Set(state.releases.map((r) => r.sha256));
  // The record is not trusted: only releases of this service are removed.
  const prefix = `${layout.root.replace(/\/$/, "")}/${sanitizeName(service)}-`;
  const ours = (dir: string) =>
    dir.startsWith(prefix) && !dir.slice(prefix.length).includes("/") && !dir.includes("\n");
  await context.send(stateText(state), (bytes) =>
    pruneCommand(place, {
      bytes,
      dirs: gone.map((r) => r.dir).filter(ours),
      digests: gone.map((r) => r.sha256).filter((d) => !used.has(d) && /^[0-9a-f]{64}$/.test(d)),
      ...keptBy(state),
    }), { timeoutMs: DEPLOY_EXTRACT_TIMEOUT_MS });
  context.state = state;
}

/** Marks a release as bad that was not switched to; its record and files stay as evidence. */
export async function markBad(context: HostContext, reason: string): Promise<void> {
  const { state, release, place } = context;
  if (release === null || !state.releases.some((r) => r.id === release.id)) return;
  if (release.status === "good") return;
  context.state = undone(withRelease(state, { ...release, status: "bad" }), release.id, reason);
  await context.send(stateText(context.state), (bytes) => commitCommand(place, bytes));
}

/**
 * Steps `connect`, `lock` and `unlock`.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { RunResult } from "../../executor/executor.ts";
import type { ServiceStatus } from "../../lifecycle/service_spec.ts";
import { DEPLOY_EXTRACT_TIMEOUT_MS, DEPLOY_LOCK_POLL_MS, DEPLOY_LOCK_TTL_MS } from "../limits.ts";
import { checkSudo, sudoExecutor } from "../host/become.ts";
import { boundaryError } from "../host/lock/boundary.ts";
import { parseFacts } from "../host/lock/facts.ts";
import { lockOwner } from "../owner.ts";
import type { HostContext, StepResult } from "../host/context.ts";
import {
  activeRelease,
  dirOwner,
  emptyState,
  parseState,
  releaseById,
  type ReleaseRecord,
  undone,
  withImageId,
} from "../host/state.ts";
import { acquireCommand, recoverCommand, releaseCommand } from "../host/lock/commands.ts";
import { recoveryScript, writeRecoveryCommand } from "../host/recovery.ts";
import { sleep } from "../../util/async.ts";

/** Connects. */
export async function connect(context: HostContext): Promise<StepResult> {
  await open(context, context.signal);
  return {};
}

/** Opens the connection: the first one, or the one that cleans up after it broke. */
export async function open(context: HostContext, signal: AbortSignal): Promise<void> {
  const executor = await context.target.connect(signal);
  context.executor = context.target.become === "sudo" ? sudoExecutor(executor) : executor;
  if (context.target.become === "sudo") await checkSudo(executor, signal);
}

/** Time to live of the lock. */
export function lockTtlMs(context: HostContext): number {
  return context.plan.lockTtlMs ?? DEPLOY_LOCK_TTL_MS;
}

/** Acquires the lock, calls `keep` to renew it, reads the facts, and undoes an interrupted deployment. */
export async function lock(
  context: HostContext,
  keep: () => void,
): Promise<StepResult> {
  const taken = await acquire(context);
  keep();
  storeFacts(context, taken);
  claimMachine(context);
  const messages = [...taken.matchAll(/^@stale (\S+)/gm)].map((m) =>
    `took over the stale lock of ${m[1]}`
  );
  if (context.known.recoveryDue) {
    context.clearDeadline();
    const pending = context.state.pending?.deployment_id ?? "an interrupted deployment";
    context.news({ message: `undoing ${pending}` });
    await replaceRecovery(context);
    const result = await context.run(recoverCommand(context.place, context.query), {
      timeoutMs: DEPLOY_EXTRACT_TIMEOUT_MS,
    });
    storeFacts(context, result.stdout);
    messages.push(`undid ${pending}`);
  }
  // Without its recovery script a pending switch is only dropped: the next switch sets everything.
  const { pending } = context.state;
  if (pending !== null) context.state = undone(context.state, pending.to.id, "interrupted");
  context.previous = activeRelease(context.state);
  const version = context.previous?.version ?? null;
  await context.plan.admit?.(context.target, { place: context.known.place, version });
  if (context.previous?.spec) {
    const status = await context.controller(context.previous)
      .status({ signal: context.signal });
    context.previousRan = status.running;
    context.status = status;
    recordImage(context, context.previous, status);
  }
  return messages.length === 0 ? {} : { message: messages.join("; ") };
}

/** Adds the image of the running container to a release that an earlier version recorded. */
function recordImage(context: HostContext, previous: ReleaseRecord, status: ServiceStatus): void {
  if (status.identity?.releaseDir !== previous.dir) return;
  const known = withImageId(previous, status);
  const releases = context.state.releases.map((release) =>
    release.id === known.id ? known : release
  );
  context.previous = known;
  context.state = { ...context.state, releases };
}

/**
 * Replaces the recovery script by one of this version: that of an earlier version has its commands. What it undoes is
 * read from the record.
 */
async function replaceRecovery(context: HostContext): Promise<void> {
  const { state, place } = context;
  const { pending } = state;
  if (pending === null || pending.to.spec === null) return;
  const from = releaseById(state, pending.from);
  const back = from === null || from.spec === null || from.env === null ? null : {
    dir: from.dir,
    envName: from.env,
    owner: dirOwner(from, pending.to),
    spec: from.spec,
    unit: context.isUnit(from),
    start: pending.ran ?? true,
  };
  const script = recoveryScript({
    place,
    stop: { spec: pending.to.spec, unit: context.isUnit(pending.to) },
    back,
    state: undone(state, pending.to.id, `${pending.deployment_id} was interrupted`),
  });
  try {
    await context.send(script, (bytes) => writeRecoveryCommand(place, bytes));
  } catch (error) {
    // If there is no space for it, the existing one is used.
    if (!(error instanceof HarnessError) || error.details?.["reason"] !== "disk_full") throw error;
  }
}

/** Rejects a machine and directory that this deployment has under another name. */
function claimMachine(context: HostContext): void {
  const { place } = context.known;
  const other = context.places.get(place) ?? context.target.label;
  context.places.set(place, other);
  if (other === context.target.label) return;
  // The record belongs to the deployment under the other name.
  context.state = emptyState(context.service);
  throw givenTwice(context, other);
}

function givenTwice({ service, target }: HostContext, other: string | null): HarnessError {
  const same = other === null ? "another host of this deployment" : other;
  return new HarnessError(
    "invalid_params",
    `Cannot deploy ${service} to ${target.label}: it is the same machine as ${same}; leave one out`,
    { details: { reason: "given_twice", ...(other === null ? {} : { same_as: other }) } },
  );
}

/** Removes the temp files and releases the lock. */
export async function unlock(context: HostContext): Promise<StepResult> {
  await context.run(releaseCommand(context.place));
  context.phase = "untouched";
  return {};
}

function storeFacts(context: HostContext, stdout: string): void {
  context.facts = parseFacts(stdout, context.target.label);
  const where = `${context.layout.state} on ${context.target.label}`;
  context.state = parseState(context.facts.stateText, context.service, where);
}

async function acquire(context: HostContext): Promise<string> {
  const { plan, place } = context;
  const deadline = performance.now() + (plan.lockWaitMs ?? 0);
  const since = new Date().toISOString();
  let reported = false;
  while (true) {
    // From here on the lock may be ours, even if the response is lost.
    context.phase = "locked";
    const result = await context.attempt(
      acquireCommand(place, {
        ttlSeconds: Math.ceil(lockTtlMs(context) / 1000),
        deploymentId: plan.deploymentId,
        since,
        // One line, without the field separator.
        owner: (plan.owner ?? lockOwner()).replaceAll(/[|\p{Cc}]/gu, " ").slice(0, 200),
      }, context.query),
    );
    checkRefusal(context, result);
    const held = /^@held (.*)$/m.exec(result.stdout);
    if (held === null) return result.stdout;
    context.phase = "untouched";
    if (held[1]?.startsWith(`${plan.deploymentId}|`)) throw givenTwice(context, null);
    if (performance.now() >= deadline) throw lockedError(context, held[1] ?? "");
    if (!reported) {
      context.news({ message: `waiting for the lock of ${describeHolder(held[1] ?? "")}` });
    }
    reported = true;
    await sleep(plan.timing?.lockPollMs ?? DEPLOY_LOCK_POLL_MS, context.signal);
    context.signal.throwIfAborted();
  }
}

/** A refusal comes before the lock is acquired: then there is nothing to undo. */
function checkRefusal(context: HostContext, result: RunResult): void {
  const { service, target } = context;
  if (/^@refused /m.test(result.stdout)) context.phase = "untouched";
  const error = boundaryError(result.stdout, {
    service,
    host: target.label,
    sudo: target.become === "sudo",
  });
  if (error !== null) throw error;
  context.check(result);
}

function describeHolder(text: string): string {
  const [deployment = "", , since = "", ...owner] = text.split("|");
  return `${deployment} by ${owner.join("|")} since ${since}`;
}

function lockedError(context: HostContext, text: string): HarnessError {
  const [deployment = "", left = "", since = "", ...owner] = text.split("|");
  return new HarnessError(
    "conflict",
    `Cannot lock ${context.service} on ${context.target.label}: it is held by ${
      describeHolder(text)
    }; ` +
      `wait for it or cancel it (a stale lock expires within ${left} s)`,
    {
      details: {
        reason: "locked",
        deployment_id: deployment,
        owner: owner.join("|"),
        since,
        expires_in_seconds: Number(left),
      },
    },
  );
}

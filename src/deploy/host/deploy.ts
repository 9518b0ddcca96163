/**
 * Deploys to one host: runs the steps, and undoes them after a failure.
 *
 * @module
 */
import type { DeployFailure, DeployStep, HostOutcome } from "../../model/deployment.ts";
import { getLogger } from "../../util/log.ts";
import {
  DEPLOY_BEGIN_TIMEOUT_MS,
  DEPLOY_CLEANUP_TIMEOUT_MS,
  DEPLOY_PROGRESS_INTERVAL_MS,
  DEPLOY_RECONNECT_TIMEOUT_MS,
  DEPLOY_ROLLBACK_TIMEOUT_MS,
} from "../limits.ts";
import { clearStagingCommand } from "./release/commands.ts";
import { cancelError, lateError, toFailure } from "../failure.ts";
import { HostContext, type StepProgress, type StepResult } from "./context.ts";
import { renewCommand } from "./lock/commands.ts";
import { untilAborted } from "../../util/async.ts";
import { redactDetails } from "../../util/redact.ts";
import { LockKeeper } from "./lock/keeper.ts";
import { hostResult } from "./result.ts";
import type { DeployPlan, HostTarget } from "../plan.ts";
import type { DeployProgress, HostResult } from "../progress.ts";
import { markBad, prune, pruneBad } from "../steps/activate.ts";
import { isUpToDate, selectRelease } from "../steps/select_release.ts";
import { preflight } from "../steps/preflight.ts";
import { recordFailedRollback, rollback, wasCommitted } from "../steps/rollback.ts";
import { connect, lock, lockTtlMs, open, unlock } from "../steps/session.ts";
import { RELEASE_STEPS } from "../steps/release_steps.ts";

/** Options for {@linkcode deployToHost}. */
export interface HostDeployOptions {
  /** Cancels: the host is rolled back. */
  signal: AbortSignal;
  /** Called with each event, in order. */
  report: (progress: DeployProgress) => void;
  /** Labels by place of the hosts that responded so far, shared by all hosts of a deployment. */
  places?: Map<string, string> | undefined;
}

/** Deploys to one host. Never rejects: failures are in the result. */
export async function deployToHost(
  plan: DeployPlan,
  target: HostTarget,
  options: HostDeployOptions,
): Promise<HostResult> {
  const host = new HostDeploy(plan, target, options);
  return await host.run();
}

class HostDeploy {
  readonly #context: HostContext;
  readonly #report: (progress: DeployProgress) => void;
  readonly #cancel: AbortSignal;
  readonly #late = new AbortController();
  #keeper: LockKeeper | null = null;
  #lastNews = -Infinity;
  #already = false;
  #lost = false;
  #beginning: Promise<void> = Promise.resolve();

  constructor(plan: DeployPlan, target: HostTarget, options: HostDeployOptions) {
    this.#report = options.report;
    this.#cancel = options.signal;
    this.#context = new HostContext(plan, target, {
      signal: AbortSignal.any([options.signal, this.#late.signal]),
      places: options.places,
      news: (news) => this.#news(news),
    });
  }

  async run(): Promise<HostResult> {
    const context = this.#context;
    let failure: DeployFailure | null = null;
    let outcome: HostOutcome = "ok";
    try {
      await this.#steps();
    } catch (error) {
      failure = this.#failed(error);
      outcome = await this.#undo(failure);
      // The response to the commit was lost, but it happened.
      if (outcome === "ok") failure = null;
    }
    const at = failure === null ? "finish" : context.step;
    await this.#release(outcome);
    const result = this.#result(outcome, at, failure);
    this.#emit("finish", outcome === "ok" || outcome === "skipped" ? "done" : "failed", {
      outcome,
      result,
      ...(failure === null ? this.#already ? { message: this.#alreadyMessage() } : {} : {
        message: failure.message,
        error: failure,
      }),
    });
    return result;
  }

  async #steps(): Promise<void> {
    const context = this.#context;
    const { beginTimeoutMs: limit = DEPLOY_BEGIN_TIMEOUT_MS, lockWaitMs = 0 } = context.plan;
    const timer = setTimeout(() => this.#late.abort(lateError(context, limit)), limit + lockWaitMs);
    context.clearDeadline = () => clearTimeout(timer);
    try {
      // Not awaited after the deadline: if a command hangs, so may its cancellation.
      this.#beginning = this.#begin();
      await untilAborted(this.#beginning, this.#late.signal);
    } finally {
      context.clearDeadline();
    }
    if (this.#already) this.#emit("preflight", "skipped", { message: this.#alreadyMessage() });
    for (const [name, body] of RELEASE_STEPS) {
      if (this.#already) this.#emit(name, "skipped", { message: this.#alreadyMessage() });
      else await this.#step(name, body);
    }
    if (this.#already) this.#emit("prune", "skipped", { message: this.#alreadyMessage() });
    else await this.#bestEffort("prune", prune);
  }

  /** Connects, locks and checks. */
  async #begin(): Promise<void> {
    const context = this.#context;
    await this.#step("connect", connect);
    const signal = AbortSignal.any([this.#cancel, this.#late.signal]);
    await this.#step("lock", (c) => lock(c, () => this.#keep(signal)));
    context.step = "preflight";
    selectRelease(context);
    this.#already = await isUpToDate(context);
    if (!this.#already) await this.#step("preflight", preflight);
  }

  async #step(
    name: DeployStep,
    body: (context: HostContext) => Promise<StepResult>,
  ): Promise<void> {
    const context = this.#context;
    context.step = name;
    context.signal.throwIfAborted();
    this.#lastNews = -Infinity;
    this.#emit(name, "started", {});
    const work = body(context);
    const { skipped, ...end } =
      await (this.#keeper === null ? work : untilAborted(work, this.#keeper.hangs));
    this.#emit(name, skipped ? "skipped" : "done", end);
  }

  /** Best-effort step: failure is reported, not fatal. */
  async #bestEffort(
    name: DeployStep,
    body: (context: HostContext) => Promise<StepResult>,
  ): Promise<void> {
    try {
      await this.#step(name, body);
    } catch (error) {
      const failure = this.#failureOf(error, name);
      this.#emit(name, "failed", { message: failure.message, error: failure });
    }
  }

  #failed(error: unknown): DeployFailure {
    const { step, target } = this.#context;
    const failure = this.#failureOf(error, step);
    if (failure.code === "internal") {
      getLogger(["harness", "deploy"]).error("step {step} on {host}: {error}", {
        step,
        host: target.label,
        error,
      });
    }
    this.#emit(step, "failed", { message: failure.message, error: failure });
    // A copy: the final report adds to it, and the event must not change.
    return { ...failure, details: { ...failure.details } };
  }

  /** The failure to report for `error`, without known secrets. */
  #failureOf(error: unknown, step: DeployStep): DeployFailure {
    const { target, instance, logHint: log } = this.#context;
    const cancelled = this.#cancel.aborted && error === this.#cancel.reason;
    const known = cancelled ? cancelError(error) : error;
    const plain = toFailure(known, { host: target.label, step, instance, log });
    const { redact } = this.#context;
    return {
      code: plain.code,
      message: redact(plain.message),
      details: redactDetails(plain.details, redact),
    };
  }

  /** Starts to renew the lock; commands are cancelled by `signal` or the loss of the lock. */
  #keep(signal: AbortSignal): void {
    const context = this.#context;
    this.#keeper = new LockKeeper(context.machine, context.place, {
      ttlMs: lockTtlMs(context),
      label: context.target.label,
    });
    context.signal = AbortSignal.any([signal, this.#keeper.lost]);
  }

  /** Restores the host, and returns the outcome. */
  async #undo(failure: DeployFailure): Promise<HostOutcome> {
    const context = this.#context;
    const failedAt = context.step;
    const cancelled = this.#cancel.aborted;
    if (context.phase === "untouched") return cancelled ? "cancelled" : outcomeOf(failure);
    if (this.#lockIsLost(failure)) return outcomeOf(failure);
    // A host whose shell prints without end would do so again.
    const floods = failedAt === "lock" && failure.details?.["reason"] === "output";
    if (this.#hangs || floods) return this.#leaveToWatchdog(failure);
    const switched = context.phase === "switched";
    const signal = AbortSignal.timeout(
      switched ? DEPLOY_ROLLBACK_TIMEOUT_MS : DEPLOY_CLEANUP_TIMEOUT_MS,
    );
    context.signal = AbortSignal.any([signal, ...this.#keeper ? [this.#keeper.lost] : []]);
    try {
      if (failure.code === "unreachable" && !await this.#reconnect(signal)) {
        return this.#leaveToWatchdog(failure);
      }
      if (switched && failedAt === "commit" && await wasCommitted(context)) return "ok";
      await context.run(clearStagingCommand(context.place));
      if (switched) await this.#step("rollback", (c) => rollback(c, failure.message));
      else await markBad(context, failure.message);
      await this.#pruneBad();
    } catch (error) {
      const second = this.#failureOf(error, context.step);
      // A cancel may have come before the lock was acquired: then there was nothing to undo.
      if (this.#lockIsLost(second)) {
        if (cancelled && !switched) return "cancelled";
        // The failure may be caused by the watchdog, which restores the host.
        this.#emit(context.step, "failed", { message: second.message, error: second });
        failure.details = { ...failure.details, rollback_error: second.message };
        return outcomeOf(failure);
      }
      const hangs = !switched && signal.aborted;
      if (second.code === "unreachable" || hangs) return this.#leaveToWatchdog(failure);
      this.#emit(context.step, "failed", { message: second.message, error: second });
      failure.details = { ...failure.details, rollback_error: second.message };
      if (!switched) return outcomeOf(failure);
      const { message, next } = await recordFailedRollback(context, failure.message);
      failure.message += `; ${message}`;
      failure.details["next"] = next;
      return "rollback_failed";
    } finally {
      context.step = failedAt;
    }
    if (cancelled) return "cancelled";
    return switched && context.previous !== null ? "rolled_back" : outcomeOf(failure);
  }

  /** Failed releases must not fill the disk. Best effort: does not change the outcome. */
  async #pruneBad(): Promise<void> {
    const context = this.#context;
    try {
      await pruneBad(context);
    } catch (error) {
      getLogger(["harness", "deploy"]).warn("pruning {service} on {host}: {error}", {
        service: context.service,
        host: context.target.label,
        error,
      });
    }
  }

  /** Whether the watchdog has taken the lock and restores the host: then nothing is left to do. */
  #lockIsLost(failure: DeployFailure): boolean {
    this.#lost ||= failure.details?.["reason"] === "lost";
    return this.#lost;
  }

  /** Leaves the cleanup to the watchdog on the host, and reports that. */
  #leaveToWatchdog(failure: DeployFailure): HostOutcome {
    const context = this.#context;
    context.phase = "untouched";
    const seconds = Math.ceil(lockTtlMs(context) / 1000);
    const next =
      `nothing: within about ${seconds} s the host restores itself and releases its lock; ` +
      `then run the same deployment again`;
    failure.details = { ...failure.details, next };
    return failure.code === "too_large" ? "failed" : "unreachable";
  }

  /** A second connection, to clean up after the first one broke. */
  async #reconnect(signal: AbortSignal): Promise<boolean> {
    const context = this.#context;
    await this.#keeper?.stop();
    try {
      await context.executor?.[Symbol.asyncDispose]();
      context.executor = null;
      await open(context, AbortSignal.timeout(DEPLOY_RECONNECT_TIMEOUT_MS));
    } catch {
      // The watchdog is there for this case.
      return false;
    }
    await context.run(renewCommand(context.place));
    this.#keep(signal);
    return true;
  }

  async #release(outcome: HostOutcome): Promise<void> {
    const context = this.#context;
    await this.#keeper?.stop();
    if (context.phase !== "untouched" && context.executor !== null) {
      context.signal = AbortSignal.timeout(DEPLOY_ROLLBACK_TIMEOUT_MS);
      // A lost lock belongs to the watchdog: there is nothing to release.
      if (!this.#lost) await this.#bestEffort("unlock", unlock);
      // If the response to acquire never came, it may have left a temp file.
      else if (this.#keeper === null) await unlock(context).catch(() => undefined);
    }
    const { executor, target } = context;
    if (outcome === "ok" && executor !== null && target.keep?.(executor)) return;
    // On a host that hangs, closing may hang too.
    if (this.#hangs) this.#beginning.catch(() => {}).finally(() => this.#close());
    else await this.#close();
  }

  /** Whether the host does not respond: then the watchdog cleans up and releases the lock. */
  get #hangs(): boolean {
    return this.#late.signal.aborted || this.#keeper?.hangs.aborted === true;
  }

  async #close(): Promise<void> {
    const context = this.#context;
    try {
      await context.executor?.[Symbol.asyncDispose]();
    } catch (error) {
      // The work is done, so this is only logged.
      getLogger(["harness", "deploy"]).debug("closing {host}: {error}", {
        host: context.target.label,
        error,
      });
    }
  }

  #result(outcome: HostOutcome, step: DeployStep, failure: DeployFailure | null): HostResult {
    return hostResult(this.#context, {
      outcome,
      step,
      failure,
      known: !this.#lost && outcome !== "unreachable" && outcome !== "rollback_failed",
      already: this.#already,
    });
  }

  #alreadyMessage(): string {
    const { version, sha256 } = this.#context.chosen;
    return `already at ${version} (sha256:${sha256.slice(0, 12)}…)`;
  }

  #news(news: StepProgress): void {
    const now = performance.now();
    if (now - this.#lastNews < DEPLOY_PROGRESS_INTERVAL_MS) return;
    this.#lastNews = now;
    this.#emit(this.#context.step, "progress", news);
  }

  #emit(
    step: DeployStep,
    status: DeployProgress["status"],
    more: Partial<DeployProgress>,
  ): void {
    const { plan, target, service } = this.#context;
    this.#report({
      deployment_id: plan.deploymentId,
      service,
      host: target.label,
      step,
      status,
      ...more,
      ...(more.message === undefined ? {} : { message: this.#context.redact(more.message) }),
      at: new Date().toISOString(),
    });
  }
}

function outcomeOf(failure: DeployFailure): HostOutcome {
  return failure.code === "unreachable" ? "unreachable" : "failed";
}

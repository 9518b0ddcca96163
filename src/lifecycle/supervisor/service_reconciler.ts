/**
 * Reconciles the desired and the observed state of one service.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { Mutex } from "../../util/mutex.ts";
import { HarnessError, messageOf } from "../../errors.ts";
import { FAILURE_LOG_LINES } from "../limits.ts";
import { failureFacts } from "../drivers/run_control.ts";
import { dependsOnSystemd, driverFor } from "../drivers/table.ts";
import { createController } from "../controller.ts";
import { describeEnd } from "../exit_status.ts";
import { waitUntilHealthy } from "../health/check.ts";
import type { Driver, ObservedStatus, WatchPoint } from "../drivers/driver.ts";
import { KnownRun } from "./known_run.ts";
import { PlannedRestart } from "./planned_restart.ts";
import { isCleanEnd, RestartCounter } from "./restart_policy.ts";
import type { Controller, ControlOptions, ServiceStatus } from "../service_spec.ts";
import { untilAborted } from "../../util/async.ts";
import type { StateCause, StateEvent } from "./events.ts";
import {
  isRecordedRun,
  type ReconcilerContext,
  type RecordedState,
  type StartOptions,
  type SupervisedService,
} from "./supervised_service.ts";

/** The state machine of one service. All its work is done one thing at a time. */
export class ServiceReconciler {
  /** What it is. */
  readonly service: SupervisedService;
  readonly #context: ReconcilerContext;
  readonly #lock = new Mutex();
  readonly #counter: RestartCounter;
  #wanted = false;
  readonly #run: KnownRun;
  readonly #restart = new PlannedRestart();
  #asked = false;
  #generation = 0;
  #systemd: boolean;
  readonly #closing = new AbortController();

  /** A service of which nothing is known yet. */
  constructor(service: SupervisedService, context: ReconcilerContext) {
    this.service = service;
    this.#context = context;
    this.#systemd = service.systemd ?? false;
    this.#counter = new RestartCounter(service.spec.restart, context.restart);
    this.#run = new KnownRun(context.onRunning);
  }

  /** Changes with everything that is done to the service: an observation from before is worth nothing. */
  get generation(): number {
    return this.#generation;
  }

  /** The daemon that runs it, where that may not respond while the machine does. */
  get engine(): string | undefined {
    return this.#driver.engine;
  }

  /** What shows at once that it is not as it was when last seen; `null` where only a poll does. */
  get watchPoint(): WatchPoint | null {
    const { pid, restarting } = this.#run;
    if (pid) return { kind: "pid", value: `${pid}` };
    return restarting ? null : this.#driver.watchPoint?.(this.service.spec) ?? null;
  }

  /** Whether something is being done to it now. */
  get busy(): boolean {
    return this.#lock.isLocked();
  }

  /** Whether a restart by policy is planned and has not begun. */
  get awaitsRestart(): boolean {
    return this.#restart.isWaiting;
  }

  /** Takes over the caller's records without a poll. */
  assume(recorded: RecordedState): void {
    const { running, restarts } = recorded;
    this.#wanted = running;
    if (restarts) this.#counter.restore(restarts);
    this.#run.assume(running, recorded.upMs ?? 0);
    if (!running && restarts?.planned && !this.#asked) this.#planAgain();
  }

  /** Starts it by request. */
  start(options: StartOptions = {}): Promise<ServiceStatus> {
    return this.#exclusive(async (controller) => {
      this.#counter.reset();
      return await this.#start(controller, "request", "started by client", options);
    });
  }

  /** Stops it by request: no policy restarts it. */
  stop(options: ControlOptions = {}): Promise<ServiceStatus> {
    return this.#exclusive((controller) => this.#stop(controller, "stopped by client", options));
  }

  /** Stops and starts it, with nothing in between. */
  restart(options: StartOptions = {}): Promise<ServiceStatus> {
    return this.#exclusive(async (controller) => {
      this.#counter.reset();
      await this.#stop(controller, "stopped by client for a restart", options);
      return await this.#start(controller, "request", "restarted by client", options);
    });
  }

  /** Makes it read its configuration again. */
  reload(options: ControlOptions = {}): Promise<ServiceStatus> {
    return this.#exclusive((controller) => controller.reload(this.#joined(options)));
  }

  /** Takes over what runs after our own restart, and reports what ended meanwhile; `poll` returns its present state. */
  adopt(
    recorded: RecordedState,
    poll: () => Promise<ObservedStatus | null>,
  ): Promise<ServiceStatus> {
    return this.#exclusive(async (controller) => {
      const status = await untilAborted(poll(), this.#closing.signal) ??
        { ...await controller.status(this.#joined({})), restarting: false, restarts: null };
      const { restarts, upMs = 0 } = recorded;
      this.#wanted = recorded.running || status.running;
      if (restarts) this.#counter.restore(restarts);
      if (status.running) {
        const same = isRecordedRun(status, recorded);
        this.#run.began(status, false, same ? upMs : 0);
        await this.#context.emit({ type: "adopted", id: this.service.id, status, same });
        if (!recorded.running) {
          await this.#state("starting", "observed", "found running", status);
          await this.#state("running", "observed", status.detail, status);
        }
      } else if (recorded.running) {
        this.#run.recorded(upMs);
        const asked = recorded.stopping || (status.asked ?? false);
        await this.#ended({ ...status, asked }, controller, "while nobody watched");
      } else if (restarts?.planned) {
        this.#planAgain();
      }
      return status;
    }, { keepPending: true });
  }

  /** Takes in a polled status; `generation` is the one from before the poll. */
  async observe(status: ObservedStatus, generation: number): Promise<void> {
    if (generation !== this.#generation || this.busy) return;
    if (this.#run.isAsSeen(status)) return;
    await this.#exclusive(async (controller) => {
      if (status.running) await this.#foundRunning(status);
      else await this.#ended(status, controller, "");
    }, { keepPending: true });
  }

  /** Cancels a planned restart and waits for the work under way. */
  async close(): Promise<void> {
    this.#wanted = false;
    this.#restart.cancel();
    this.#closing.abort(new HarnessError("cancelled", "Supervision ended"));
    this.#context.onRunning(false, false);
    await this.#lock.runExclusive(() => this.#restart.cancel());
    await this.#restart.settled();
  }

  async #foundRunning(status: ObservedStatus): Promise<void> {
    this.#restart.cancel();
    const again = this.#run.running;
    this.#wanted = true;
    if (again) {
      // Another pid or one more restart: systemd or docker was quicker than we are.
      const reason = "ended and was started again by its service manager";
      await this.#state("failed", "observed", reason, status);
    }
    this.#run.began(status, true);
    await this.#state("starting", "observed", "started by its service manager", status);
    await this.#state("running", "observed", status.detail, status);
  }

  async #ended(status: ObservedStatus, controller: Controller, when: string): Promise<void> {
    const { upMs } = this.#run;
    this.#run.ended();
    if (!this.#wanted) return;
    const unknown = status.exitCode === null && status.signal === null;
    const how = unknown ? status.detail : describeEnd(status);
    const reason = when === "" ? how : `${how} ${when}`;
    // Stopped on the machine by somebody else, on purpose: that is not for the policy to undo.
    const asked = status.asked ?? false;
    const clean = asked || isCleanEnd(status);
    const decision = asked || this.#driver.restartsItself
      ? { action: "leave" as const }
      : this.#counter.ended(status, upMs, how);
    const log = clean
      ? []
      : await controller.logs(FAILURE_LOG_LINES, { lastRun: true }).catch(() => []);
    if (clean && decision.action === "leave") {
      this.#wanted = status.restarting;
      await this.#state("stopping", "observed", reason, status);
      await this.#state("stopped", "observed", reason, status);
      return;
    }
    const next = status.restarting ? "; its service manager starts it again" : "";
    await this.#failed(decision, { reason: `${reason}${next}`, status, log });
  }

  /** Reports a failure and does what the policy decided. */
  async #failed(
    decision: ReturnType<RestartCounter["ended"]>,
    facts: { reason: string; status: ServiceStatus | null; log: string[] },
  ): Promise<void> {
    const { id } = this.service;
    const { reason, status, log } = facts;
    await this.#context.emit({
      type: "state",
      id,
      state: "failed",
      reason: decision.action === "give_up"
        ? `crash loop, gave up after ${decision.attempts} restarts: ${reason}`
        : reason,
      cause: decision.action === "leave" ? "observed" : "policy",
      status,
      log,
      restarts: this.#counter.state({ planned: decision.action === "restart" }),
    });
    if (decision.action === "restart") {
      const { attempt, delayMs } = decision;
      await this.#context.emit({ type: "restart_scheduled", id, attempt, delayMs, reason });
      this.#planRestart(decision);
    } else if (decision.action === "give_up") {
      this.#wanted = false;
      const { attempts, history } = decision;
      await this.#context.emit({ type: "gave_up", id, attempts, history });
    }
  }

  /** Takes over a restart that an earlier supervisor had planned; its pause begins anew. */
  #planAgain(): void {
    this.#wanted = true;
    this.#planRestart(this.#counter.planned());
  }

  #planRestart({ attempt, delayMs }: { attempt: number; delayMs: number }): void {
    if (this.#closing.signal.aborted) return;
    const reason = `restart ${attempt} of ${this.service.spec.restart.maxRetries} by policy`;
    this.#restart.plan(delayMs, async (signal) => {
      try {
        await this.#exclusive(async (controller) => {
          if (signal.aborted) return;
          this.#restart.begin();
          await this.#context.confirm()
            .then(() => this.#start(controller, "policy", reason, {}))
            .catch((error) => this.#startFailed(error));
        }, { keepPending: true });
      } catch (error) {
        if (signal.aborted) return;
        // No connection: tried again after the same pause.
        getLogger(["harness", "lifecycle"]).warn("Cannot restart {id}: {why}", {
          id: this.service.id,
          why: messageOf(error),
        });
        this.#planRestart({ attempt, delayMs });
      }
    });
  }

  /** A restart by policy that did not work is one more end. */
  async #startFailed(error: unknown): Promise<void> {
    if (!(error instanceof HarnessError) || error.code === "unreachable") throw error;
    // Cut off by our own end: the next supervisor finds the state of the service.
    if (this.#closing.signal.aborted) throw error;
    const { exitCode, reason, log, status } = failureFacts(error);
    // A start that fails is never a clean end, even with exit code 0.
    const end = { exitCode: exitCode === 0 ? null : exitCode, signal: null };
    const decision = this.#counter.ended(end, 0, reason);
    await this.#failed(decision, { reason: error.message, status, log });
  }

  async #start(
    controller: Controller,
    cause: StateCause,
    reason: string,
    options: StartOptions,
  ): Promise<ServiceStatus> {
    this.#wanted = true;
    await this.#state("starting", cause, reason, null);
    try {
      const joined = this.#joined(options);
      const status = await controller.start(joined);
      if (options.healthTimeoutMs !== undefined && this.service.spec.health !== null) {
        await waitUntilHealthy(await this.#context.executor(), this.service.spec, {
          timeoutMs: options.healthTimeoutMs,
          systemd: this.#systemd,
          ...joined,
        });
      }
      this.#run.began(status, true);
      await this.#state("running", cause, reason, status);
      return status;
    } catch (error) {
      this.#run.ended();
      if (cause === "request") {
        // Asked for and refused: the caller knows, the policy does not act behind its back.
        this.#wanted = false;
        const { log, status } = failureFacts(error);
        await this.#state("failed", cause, messageOf(error), status, log);
      }
      throw error;
    }
  }

  async #stop(
    controller: Controller,
    reason: string,
    options: ControlOptions,
  ): Promise<ServiceStatus> {
    const wasRunning = this.#run.running;
    this.#wanted = false;
    this.#counter.reset();
    if (wasRunning) await this.#state("stopping", "request", reason, null);
    try {
      const status = await controller.stop(this.#joined(options));
      this.#run.ended();
      if (wasRunning) await this.#state("stopped", "request", reason, status);
      return status;
    } catch (error) {
      // Should it still run, the next poll reports it.
      this.#run.ended();
      await this.#state("failed", "request", messageOf(error), null, failureFacts(error).log);
      throw error;
    }
  }

  get #driver(): Driver {
    return driverFor(this.service.spec.execution, this.#systemd);
  }

  #state(
    state: StateEvent["state"],
    cause: StateCause,
    reason: string,
    status: ServiceStatus | null,
    log: string[] = [],
  ): void | Promise<void> {
    const { id } = this.service;
    return this.#context.emit({ type: "state", id, state, reason, cause, status, log });
  }

  #joined(options: ControlOptions): { signal: AbortSignal } {
    const own = this.#closing.signal;
    return { signal: options.signal ? AbortSignal.any([own, options.signal]) : own };
  }

  #exclusive<T>(
    work: (controller: Controller) => Promise<T>,
    options: { keepPending?: boolean } = {},
  ): Promise<T> {
    // A request overrides a restart that is planned now, and one that the work before it plans yet.
    this.#asked ||= !options.keepPending;
    if (!options.keepPending) this.#restart.cancel();
    return this.#lock.runExclusive(async () => {
      if (!options.keepPending) this.#restart.cancel();
      this.#generation++;
      try {
        this.#closing.signal.throwIfAborted();
        const { spec } = this.service;
        const executor = await this.#context.executor();
        if (dependsOnSystemd(spec.execution)) {
          this.#systemd = this.service.systemd ?? await this.#context.systemd();
        }
        const { settleMs } = this.#context;
        return await work(createController(executor, spec, { systemd: this.#systemd, settleMs }));
      } finally {
        this.#generation++;
      }
    });
  }
}

/**
 * Checks the health of many services for as long as they run, a bounded number at once.
 *
 * @module
 */
import { getLogger } from "../../util/log.ts";
import { Semaphore } from "../../util/mutex.ts";
import { HarnessError, messageOf } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import {
  HEALTH_HEARTBEAT_MS,
  HEALTH_START_INTERVAL_MS,
  MAX_CONCURRENT_HEALTH_CHECKS,
} from "../limits.ts";
import type { HealthSpec } from "../../package/manifest/manifest.ts";
import { checkHealth, type HealthCheckResult } from "./check.ts";
import { sleep } from "../../util/async.ts";
import type { ServiceSpec } from "../service_spec.ts";
import type { HealthEvent } from "../supervisor/events.ts";

/** Options for {@linkcode HealthMonitor}. */
export interface HealthMonitorOptions {
  /** Called with every result, one at a time per service. */
  onEvent: (event: HealthEvent) => void | Promise<void>;
  /** Checks at once over all services. @default {MAX_CONCURRENT_HEALTH_CHECKS} */
  maxConcurrent?: number | undefined;
  /** A number from 0 to 1. @default {Math.random} */
  random?: (() => number) | undefined;
}

/** One service to check. */
export interface MonitoredService {
  /** Service id. */
  id: string;
  /** The service; without a health check in it nothing is done. */
  spec: ServiceSpec;
  /** Its machine. */
  executor: () => Promise<Executor>;
  /** Whether it has just been started: then failures within its start period do not count. @default {false} */
  fresh?: boolean;
}

interface Watch {
  stop: AbortController;
  done: Promise<void>;
}

/** Thresholds of one service: what counts as healthy after so many results. */
export class HealthThresholds {
  readonly #spec: HealthSpec;
  readonly #graceUntil: number;
  #healthy: boolean | null = null;
  #failures = 0;
  #successes = 0;

  /** Thresholds for a service that was started at `now` when it is `fresh`. */
  constructor(spec: HealthSpec, options: { fresh: boolean; now: number }) {
    this.#spec = spec;
    this.#graceUntil = options.fresh ? options.now + spec.startPeriodMs : 0;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether the first check has not passed yet and failures still do not count. */
  starting(now: number): boolean {
    return this.#healthy === null && now < this.#graceUntil;
  }

  /** Adds a result. Returns whether the service counts as healthy, `null` while undecided, and whether that changed. */
  add(healthy: boolean, now: number): { healthy: boolean | null; changed: boolean } {
    const before = this.#healthy;
    if (healthy) {
      this.#failures = 0;
      this.#successes++;
      // The first success is enough to leave the start; after a failure it takes the configured number.
      if (before === null || this.#successes >= this.#spec.successes) this.#healthy = true;
    } else if (!this.starting(now)) {
      this.#successes = 0;
      this.#failures++;
      if (this.#failures >= this.#spec.retries) this.#healthy = false;
    }
    return { healthy: this.#healthy, changed: this.#healthy !== before };
  }
}

/** Runs the health checks of many services. Dispose it to stop them all. */
export class HealthMonitor implements AsyncDisposable {
  readonly #options: HealthMonitorOptions;
  readonly #slots: Semaphore;
  readonly #random: () => number;
  readonly #watches = new Map<string, Watch>();
  /** Removed services with a last check that may not have ended. */
  readonly #ending = new Set<Promise<void>>();

  /** A monitor that checks nothing yet. */
  constructor(options: HealthMonitorOptions) {
    this.#options = options;
    this.#slots = new Semaphore(options.maxConcurrent ?? MAX_CONCURRENT_HEALTH_CHECKS);
    this.#random = options.random ?? Math.random;
  }

  /** Begins to check a service, in place of an earlier watch of the same id. */
  add(service: MonitoredService): void {
    this.remove(service.id);
    const { health } = service.spec;
    if (health === null) return;
    const stop = new AbortController();
    this.#watches.set(service.id, { stop, done: this.#watch(service, health, stop.signal) });
  }

  /** Stops checking a service; a check that runs is killed and its result not reported. */
  remove(id: string): void {
    const watch = this.#watches.get(id);
    if (watch === undefined) return;
    this.#watches.delete(id);
    const ending = watch.done.finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
    watch.stop.abort();
  }

  /** Stops everything and waits until no check runs any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of [...this.#watches.keys()]) this.remove(id);
    await Promise.all(this.#ending);
  }

  async #watch(service: MonitoredService, health: HealthSpec, signal: AbortSignal): Promise<void> {
    const fresh = service.fresh ?? false;
    const thresholds = new HealthThresholds(health, { fresh, now: performance.now() });
    let publishedAt = -Infinity;
    // Splay: services that were started together are not checked together.
    let pauseMs = this.#random() * Math.min(health.intervalMs, HEALTH_START_INTERVAL_MS);
    while (await sleep(pauseMs, signal)) {
      const result = await this.#check(service, signal);
      if (signal.aborted) return;
      const now = performance.now();
      if (result !== null) {
        const verdict = thresholds.add(result.healthy, now);
        if (verdict.healthy !== null) {
          const publish = verdict.changed || now - publishedAt >= HEALTH_HEARTBEAT_MS;
          if (publish) publishedAt = now;
          const { healthy, changed } = verdict as { healthy: boolean; changed: boolean };
          const { failures } = thresholds;
          const message = result.healthy
            ? result.message
            : `${failures}/${health.retries} failed: ${result.message}`;
          await this.#options.onEvent({
            type: "health",
            id: service.id,
            healthy,
            changed,
            publish,
            failures,
            message,
            result,
          });
        }
      }
      const every = thresholds.starting(now)
        ? Math.min(health.intervalMs, HEALTH_START_INTERVAL_MS)
        : health.intervalMs;
      pauseMs = every * (0.95 + 0.1 * this.#random());
    }
  }

  /** One check, or \`null\` when nothing could be found out. */
  async #check(service: MonitoredService, signal: AbortSignal): Promise<HealthCheckResult | null> {
    try {
      return await this.#slots.runExclusive(async () => {
        if (signal.aborted) return null;
        return await checkHealth(await service.executor(), service.spec, { signal });
      });
    } catch (error) {
      // An unreachable machine proves nothing about the service; its poller reports it.
      if (!signal.aborted && !(error instanceof HarnessError && error.code === "unreachable")) {
        getLogger(["harness", "lifecycle"]).warn("Cannot check {id}: {why}", {
          id: service.id,
          why: messageOf(error),
        });
      }
      return null;
    }
  }
}

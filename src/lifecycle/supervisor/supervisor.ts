/**
 * Supervises many services on many machines: polls them, restarts them by their policy, and reports events.
 *
 * docs/lifecycle.md explains who sets which state and why.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Executor } from "../../executor/executor.ts";
import {
  LOCAL_STATUS_INTERVAL_MS,
  REMOTE_STATUS_INTERVAL_MS,
  WATCHED_STATUS_INTERVAL_MS,
} from "../limits.ts";
import { dependsOnSystemd } from "../drivers/table.ts";
import { createController, usesSystemd } from "../controller.ts";
import { HealthMonitor } from "../health/monitor.ts";
import { HostPoller } from "./host_poller.ts";
import type { Controller, ControlOptions, ServiceStatus } from "../service_spec.ts";
import { ServiceReconciler } from "./service_reconciler.ts";
import { SecretFilter } from "../secrets.ts";
import { type HealthEvent, type HostKey, isLocal, type SupervisorEvent } from "./events.ts";
import type { RecordedState, StartOptions, SupervisedService } from "./supervised_service.ts";

/** Options for {@linkcode Supervisor}. */
export interface SupervisorOptions {
  /**
   * The executor for a machine, connected. Called often: give the same one again while it works. The supervisor never
   * disposes it. Rejects with `unreachable` when there is no connection.
   */
  executorFor: (host: HostKey) => Promise<Executor>;
  /**
   * Takes every event, in each service's order; what it returns is awaited before that service's next step. It must not
   * wait for a call of this supervisor: that call would wait for it.
   */
  onEvent: (event: SupervisorEvent) => void | Promise<void>;
  /** Asked before a restart by policy: rejects where the service must not be started, which then is its failure. */
  confirmRestart?: (id: string) => Promise<void>;
  /** Time between polls of this machine where not all services are watched. @default {LOCAL_STATUS_INTERVAL_MS} */
  localIntervalMs?: number;
  /** The same for another machine. @default {REMOTE_STATUS_INTERVAL_MS} */
  remoteIntervalMs?: number;
  /** Time between polls of a machine while all its services are watched. @default {WATCHED_STATUS_INTERVAL_MS} */
  watchedIntervalMs?: number;
  /** How long a started program must stay alive before its start counts as having worked. @default {START_SETTLE_MS} */
  settleMs?: number | undefined;
  /** How long a service must run for earlier crashes to be forgotten. @default {RESTART_STABLE_MS} */
  stableMs?: number | undefined;
  /** Health checks at once. @default {MAX_CONCURRENT_HEALTH_CHECKS} */
  maxConcurrentHealthChecks?: number | undefined;
  /** A number from 0 to 1, for jitter and splay. @default {Math.random} */
  random?: (() => number) | undefined;
}

/** Supervises services. All calls for one service are carried out one after the other. */
export class Supervisor implements AsyncDisposable {
  readonly #options: SupervisorOptions;
  readonly #services = new Map<string, ServiceReconciler>();
  readonly #secrets = new Map<string, SecretFilter>();
  readonly #hosts = new Map<HostKey, HostPoller>();
  readonly #systemd = new Map<HostKey, Promise<boolean>>();
  readonly #health: HealthMonitor;
  #closed = false;

  /** A supervisor of nothing. */
  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#health = new HealthMonitor({
      onEvent: (event) => this.#reportHealth(event),
      maxConcurrent: options.maxConcurrentHealthChecks,
      random: options.random,
    });
  }

  /** Whether a service is under supervision. */
  watches(id: string): boolean {
    return this.#services.has(id);
  }

  /**
   * Begins to supervise a service, in place of an earlier one of the same id. `running` is what is true of it right
   * now: true after a deploy that has just started it. To find out instead, use {@linkcode adopt}.
   */
  async watch(service: SupervisedService, options: { running: boolean }): Promise<void> {
    const supervised = await this.#add(service);
    supervised.assume(options);
    this.#hostOf(service.host).add(supervised);
  }

  /**
   * Begins to supervise a service that a former run of this program knew. Polls it, changes nothing that runs:
   * reports `adopted`, or the end that nobody saw, which the restart policy then acts on. A restart that was planned is
   * planned again. Rejects with `unreachable` when the machine does not answer; the service is supervised nevertheless
   * and is reported on when it does.
   */
  async adopt(service: SupervisedService, recorded: RecordedState): Promise<ServiceStatus> {
    const supervised = await this.#add(service);
    const host = this.#hostOf(service.host);
    host.add(supervised);
    try {
      return await supervised.adopt(recorded, () => host.inspect(supervised));
    } catch (error) {
      if (this.#services.get(service.id) === supervised) supervised.assume(recorded);
      throw error;
    }
  }

  /**
   * Ends the supervision of a service; the service itself stays as it is. A deploy does this first, so that what it
   * stops is not taken for a crash. Waits for what is being done to it.
   */
  async unwatch(id: string): Promise<void> {
    const supervised = this.#services.get(id);
    if (supervised === undefined) return;
    this.#services.delete(id);
    this.#hosts.get(supervised.service.host)?.remove(id);
    await supervised.close();
    this.#health.remove(id);
    this.#secrets.delete(id);
    await this.#dropEmptyHost(supervised.service.host);
  }

  /** Whether the restart policy has planned to start a service again, and has not begun. */
  awaitsRestart(id: string): boolean {
    return this.#services.get(id)?.awaitsRestart ?? false;
  }

  /** Starts a service. Rejects like {@linkcode Controller.start}. */
  start(id: string, options: StartOptions = {}): Promise<ServiceStatus> {
    return this.#without(id, this.#get(id).start(options));
  }

  /** Stops a service; no policy starts it again. */
  stop(id: string, options: ControlOptions = {}): Promise<ServiceStatus> {
    return this.#without(id, this.#get(id).stop(options));
  }

  /** Stops and starts a service. */
  restart(id: string, options: StartOptions = {}): Promise<ServiceStatus> {
    return this.#without(id, this.#get(id).restart(options));
  }

  /** Makes a service read its configuration again. */
  reload(id: string, options: ControlOptions = {}): Promise<ServiceStatus> {
    return this.#without(id, this.#get(id).reload(options));
  }

  /** A controller for reading only: logs, follow, status. Does not wait for other calls for the service. */
  async controller(id: string): Promise<Controller> {
    const { service } = this.#get(id);
    const executor = await this.#options.executorFor(service.host);
    const systemd = service.systemd ??
      (dependsOnSystemd(service.spec.execution) && await this.#usesSystemd(service.host));
    return createController(executor, service.spec, { systemd });
  }

  /** Polls a machine now instead of at the next turn. */
  async poll(host: HostKey): Promise<void> {
    await this.#hosts.get(host)?.poll();
  }

  /** Ends all supervision; every service stays as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([
      ...[...this.#hosts.values()].map((host) => host[Symbol.asyncDispose]()),
      ...[...this.#services.values()].map((service) => service.close()),
      this.#health[Symbol.asyncDispose](),
    ]);
    this.#services.clear();
    this.#hosts.clear();
  }

  async #add(service: SupervisedService): Promise<ServiceReconciler> {
    await this.unwatch(service.id);
    if (this.#closed) {
      throw new HarnessError("cancelled", `Cannot supervise ${service.id}: supervision has ended`);
    }
    const { stableMs, random, settleMs, onEvent } = this.#options;
    const executor = () => this.#options.executorFor(service.host);
    const secrets = new SecretFilter(executor, service.spec.envFile);
    this.#secrets.set(service.id, secrets);
    const supervised = new ServiceReconciler(service, {
      executor,
      systemd: () => this.#usesSystemd(service.host),
      confirm: async () => await this.#options.confirmRestart?.(service.id),
      emit: async (event) => await onEvent(await secrets.event(event)),
      onRunning: (running, fresh) => {
        if (!running || this.#closed) this.#health.remove(service.id);
        else this.#health.add({ id: service.id, spec: service.spec, executor, fresh });
        this.#hosts.get(service.host)?.rewatch();
      },
      restart: { stableMs, random },
      settleMs,
    });
    this.#services.set(service.id, supervised);
    return supervised;
  }

  async #reportHealth(event: HealthEvent): Promise<void> {
    const secrets = this.#secrets.get(event.id);
    if (secrets !== undefined) await this.#options.onEvent(await secrets.event(event));
  }

  /** Removes secrets from the error of a call. */
  async #without<T>(id: string, work: Promise<T>): Promise<T> {
    const secrets = this.#secrets.get(id);
    try {
      return await work;
    } catch (error) {
      throw await secrets?.error(error) ?? error;
    }
  }

  #get(id: string): ServiceReconciler {
    const found = this.#services.get(id);
    if (found !== undefined) return found;
    throw new HarnessError("not_found", `Cannot control ${id}: it is not supervised here`);
  }

  #hostOf(host: HostKey): HostPoller {
    const known = this.#hosts.get(host);
    if (known !== undefined) return known;
    const { localIntervalMs, remoteIntervalMs, watchedIntervalMs, executorFor, onEvent } =
      this.#options;
    const made = new HostPoller({
      host,
      executor: () => executorFor(host),
      intervalMs: isLocal(host)
        ? localIntervalMs ?? LOCAL_STATUS_INTERVAL_MS
        : remoteIntervalMs ?? REMOTE_STATUS_INTERVAL_MS,
      watchedIntervalMs: watchedIntervalMs ?? WATCHED_STATUS_INTERVAL_MS,
      onHost: onEvent,
    });
    this.#hosts.set(host, made);
    return made;
  }

  async #dropEmptyHost(host: HostKey): Promise<void> {
    const watch = this.#hosts.get(host);
    if (watch === undefined || !watch.empty) return;
    this.#hosts.delete(host);
    await watch[Symbol.asyncDispose]();
  }

  /** Detected once per machine; a failed detection is repeated. */
  #usesSystemd(host: HostKey): Promise<boolean> {
    const known = this.#systemd.get(host);
    if (known !== undefined) return known;
    const asked = this.#options.executorFor(host).then(usesSystemd);
    this.#systemd.set(host, asked);
    asked.catch(() => this.#systemd.delete(host));
    return asked;
  }
}

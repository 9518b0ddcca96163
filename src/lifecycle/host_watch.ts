/**
 * Watches the services of one machine: one command at a time for all of them, whatever their number.
 *
 * @module
 */
import { stat } from "node:fs/promises";
import { getLogger } from "@logtape/logtape";
import { HarnessError, messageOf } from "../errors.ts";
import type { Executor } from "../executor/executor.ts";
import { LOCAL_EXIT_POLL_MS } from "../limits.ts";
import { hostStatus, type ObservedStatus } from "./host_status.ts";
import { sleep } from "./sleep.ts";
import type { SupervisedService } from "./supervised_service.ts";
import { type HostEvent, type HostKey, isLocal } from "./supervisor_events.ts";

/** Options for {@linkcode HostWatch}. */
export interface HostWatchOptions {
  /** The machine. */
  host: HostKey;
  /** Its executor. */
  executor: () => Promise<Executor>;
  /** Time between looks. */
  intervalMs: number;
  /** Called when the machine stops or begins to answer. */
  onHost: (event: HostEvent) => void | Promise<void>;
}

/** Looks at one machine's services for as long as there are any. */
export class HostWatch implements AsyncDisposable {
  readonly #options: HostWatchOptions;
  readonly #services = new Map<string, SupervisedService>();
  readonly #stop = new AbortController();
  readonly #exits = new Map<string, number>();
  #loop: Promise<void> | null = null;
  #reachable = true;
  #batch: { services: SupervisedService[]; found: Promise<(ObservedStatus | null)[]> } | null =
    null;
  #inspecting: Promise<unknown> = Promise.resolve();

  /** A watch that looks at nothing yet. */
  constructor(options: HostWatchOptions) {
    this.#options = options;
  }

  /** Whether there is nothing to watch. */
  get empty(): boolean {
    return this.#services.size === 0;
  }

  /** Begins to watch a service. */
  add(service: SupervisedService): void {
    this.#services.set(service.service.id, service);
    this.#loop ??= this.#run();
  }

  /** Stops watching a service. */
  remove(id: string): void {
    this.#services.delete(id);
    this.#exits.delete(id);
  }

  /** Looks at one service. Calls that come together are answered by one command: hundreds may be adopted at once. */
  async inspect(service: SupervisedService): Promise<ObservedStatus | null> {
    const batch = this.#batch ??= this.#openBatch();
    const at = batch.services.push(service) - 1;
    return (await batch.found)[at] ?? null;
  }

  /** Looks now, at everything; also called by whoever cannot wait for the next turn. */
  async look(): Promise<void> {
    const services = [...this.#services.values()].filter((service) => !service.busy);
    if (services.length === 0) return;
    const before = services.map((service) => service.generation);
    const found = await this.#statusOf(services);
    await Promise.all(services.map(async (service, at) => {
      const status = found[at] ?? null;
      if (status === null || !this.#services.has(service.service.id)) return;
      await service.observe(status, before[at] ?? -1);
    }));
  }

  /** Stops looking. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new HarnessError("cancelled", "Supervision ended"));
    await this.#loop;
    await this.#inspecting;
  }

  /** A batch that takes services in until the one before it is done. */
  #openBatch(): { services: SupervisedService[]; found: Promise<(ObservedStatus | null)[]> } {
    const services: SupervisedService[] = [];
    const found = this.#inspecting.then(() => {
      this.#batch = null;
      return this.#statusOf(services);
    });
    this.#inspecting = found.catch(() => undefined);
    return { services, found };
  }

  async #statusOf(services: readonly SupervisedService[]): Promise<(ObservedStatus | null)[]> {
    const queries = services.map(({ service: { spec, systemd } }) =>
      systemd === undefined ? { spec } : { spec, systemd }
    );
    const executor = await this.#options.executor();
    const found = await hostStatus(executor, queries, { signal: this.#stop.signal });
    await this.#report(true, "");
    return found;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#wait(signal);
      if (signal.aborted) return;
      try {
        await this.look();
      } catch (error) {
        if (signal.aborted) return;
        await this.#failed(error);
      }
    }
  }

  /** Until the next look is due; for this machine's own services also until one of them has ended. */
  async #wait(signal: AbortSignal): Promise<void> {
    const { host, intervalMs } = this.#options;
    if (!isLocal(host)) {
      await sleep(intervalMs, signal);
      return;
    }
    const due = performance.now() + intervalMs;
    while (
      performance.now() < due && await sleep(Math.min(LOCAL_EXIT_POLL_MS, intervalMs), signal)
    ) {
      if (await this.#someExited()) return;
    }
  }

  /** Whether the keeper of a local process has written down an end since we last looked. */
  async #someExited(): Promise<boolean> {
    const changed = await Promise.all([...this.#services.values()].map(async (service) => {
      const { id, spec } = service.service;
      if (!service.running || spec.execution.type !== "managed_process") return false;
      // No record, or none that we may read: the full look finds it out in its own time.
      const found = await stat(`${spec.runDir}/${spec.name}.exit`).catch(() => null);
      const at = found?.mtimeMs ?? 0;
      const before = this.#exits.get(id) ?? 0;
      this.#exits.set(id, at);
      return at > before;
    }));
    return changed.includes(true);
  }

  async #failed(error: unknown): Promise<void> {
    const gone = error instanceof HarnessError &&
      (error.code === "unreachable" || error.code === "timeout");
    if (gone) return await this.#report(false, error.message);
    getLogger(["harness", "lifecycle"]).error("Cannot look at the services on {host}: {why}", {
      host: this.#options.host,
      why: messageOf(error),
      error,
    });
  }

  async #report(reachable: boolean, reason: string): Promise<void> {
    if (reachable === this.#reachable) return;
    this.#reachable = reachable;
    const ids = [...this.#services.keys()];
    await this.#options.onHost({ type: "host", host: this.#options.host, reachable, reason, ids });
  }
}

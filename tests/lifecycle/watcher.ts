/** A supervisor of this machine whose events are kept. */
import assert from "node:assert/strict";
import { localExecutor } from "../../src/executor/local.ts";
import type { ServiceSpec } from "../../src/lifecycle/service_spec.ts";
import { Supervisor, type SupervisorOptions } from "../../src/lifecycle/supervisor/supervisor.ts";
import type { SupervisorEvent } from "../../src/lifecycle/supervisor/events.ts";
import type { SupervisedService } from "../../src/lifecycle/supervisor/supervised_service.ts";

/** A program that runs until it is ended. */
export const LOOP = "while :; do sleep 0.2; done";

/** Legal moves of a registry entry, as DESIGN fixes them. */
const LEGAL: Record<string, readonly string[]> = {
  unknown: ["starting", "failed", "stopping"],
  registered: ["starting", "failed"],
  starting: ["running", "stopping", "failed"],
  running: ["stopping", "failed"],
  stopping: ["stopped", "failed"],
  stopped: ["starting", "failed"],
  failed: ["starting", "failed"],
};

/** A supervisor of this machine whose events are kept; disposing it checks that all of them were legal. */
export class Watcher implements AsyncDisposable {
  readonly events: SupervisorEvent[] = [];
  readonly supervisor: Supervisor;

  constructor(options: Partial<SupervisorOptions> = {}) {
    const executor = localExecutor();
    this.supervisor = new Supervisor({
      executorFor: () => Promise.resolve(executor),
      onEvent: (event) => void this.events.push(event),
      localIntervalMs: 100,
      remoteIntervalMs: 100,
      watchedIntervalMs: 100,
      settleMs: 100,
      ...options,
    });
  }

  states(id: string): string[] {
    return this.events.flatMap((e) => e.type === "state" && e.id === id ? [e.state] : []);
  }

  of<T extends SupervisorEvent["type"]>(type: T): Extract<SupervisorEvent, { type: T }>[] {
    return this.events.filter((e): e is Extract<SupervisorEvent, { type: T }> => e.type === type);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.supervisor[Symbol.asyncDispose]();
    const state = new Map<string, string>();
    for (const event of this.of("state")) {
      const before = state.get(event.id) ?? "unknown";
      assert.ok(LEGAL[before]?.includes(event.state), `${event.id}: ${before} to ${event.state}`);
      state.set(event.id, event.state);
    }
  }
}

/** A process without systemd, whatever PID 1 is. */
export function service(spec: ServiceSpec, host = "local"): SupervisedService {
  return { id: spec.name, spec, host, systemd: false };
}

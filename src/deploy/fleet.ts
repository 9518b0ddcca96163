/**
 * Deploys to many hosts: concurrency, canaries, when to stop, and the final status.
 *
 * @module
 */
import type { HostOutcome } from "../model/deployment.ts";
import { DEPLOY_PARALLEL } from "./limits.ts";
import { fleetStatus } from "./fleet_status.ts";
import { deployToHost } from "./host/deploy.ts";
import { type DeployPlan, type HostTarget, serviceNameOf } from "./plan.ts";
import type { DeployProgress, DeployResult, HostResult } from "./progress.ts";

/** Options for {@linkcode deployFleet}. */
export interface FleetOptions {
  /** Cancels: no new host is started, hosts in flight are rolled back. */
  signal: AbortSignal;
  /** Called with each event of each host, in order per host. */
  report: (progress: DeployProgress) => void;
}

/** Deploys to all hosts of `plan`. A failing host never interrupts another one in flight. */
export async function deployFleet(plan: DeployPlan, options: FleetOptions): Promise<DeployResult> {
  const strategy = plan.strategy ?? {};
  const canary = Math.min(strategy.canary ?? 0, plan.hosts.length);
  const fleet = new Fleet(plan, options);
  await fleet.deploy(plan.hosts.slice(0, canary));
  // A failed canary stops the rest, however many failures are allowed.
  if (canary > 0 && !fleet.allOk()) fleet.stop("a canary host failed");
  await fleet.deploy(plan.hosts.slice(canary));
  const hosts = plan.hosts.map((host) => fleet.result(host));
  const status = fleetStatus(hosts.map((h) => h.outcome), {
    cancelled: options.signal.aborted,
    skipUnreachable: strategy.onUnreachable === "skip",
  });
  return { deploymentId: plan.deploymentId, status, hosts };
}

class Fleet {
  readonly #plan: DeployPlan;
  readonly #options: FleetOptions;
  readonly #results = new Map<string, HostResult>();
  /** Label by place, to detect one machine under two names. */
  readonly #places = new Map<string, string>();
  #stopped: string | null = null;

  constructor(plan: DeployPlan, options: FleetOptions) {
    this.#plan = plan;
    this.#options = options;
  }

  async deploy(hosts: readonly HostTarget[]): Promise<void> {
    const waiting = [...hosts];
    const parallel = Math.max(1, this.#plan.strategy?.parallel ?? DEPLOY_PARALLEL);
    const worker = async () => {
      for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) {
        this.#results.set(host.label, await this.#one(host));
        this.#countFailures();
      }
    };
    await Promise.all(Array.from({ length: Math.min(parallel, waiting.length) }, worker));
  }

  /** Starts no further host. */
  stop(reason: string): void {
    this.#stopped ??= reason;
  }

  allOk(): boolean {
    const outcomes = [...this.#results.values()].map((r) => r.outcome);
    const excused = (o: HostOutcome) =>
      o === "unreachable" && this.#plan.strategy?.onUnreachable === "skip";
    return outcomes.includes("ok") && outcomes.every((o) => o === "ok" || excused(o));
  }

  result(host: HostTarget): HostResult {
    const result = this.#results.get(host.label);
    if (result === undefined) throw new Error(`${host.label} has no result`);
    return result;
  }

  async #one(host: HostTarget): Promise<HostResult> {
    const { signal, report } = this.#options;
    if (signal.aborted) return this.#notStarted(host, "cancelled", "the deployment was cancelled");
    if (this.#stopped !== null) return this.#notStarted(host, "skipped", this.#stopped);
    return await deployToHost(this.#plan, host, { signal, report, places: this.#places });
  }

  #notStarted(host: HostTarget, outcome: "cancelled" | "skipped", message: string): HostResult {
    this.#options.report({
      deployment_id: this.#plan.deploymentId,
      service: serviceNameOf(this.#plan),
      host: host.label,
      step: "finish",
      status: "skipped",
      outcome,
      message,
      at: new Date().toISOString(),
    });
    return {
      host: host.label,
      outcome,
      step: "connect",
      error: null,
      versionBefore: null,
      versionAfter: null,
      changed: false,
      service: null,
      health: null,
    };
  }

  /** Unreachable hosts do not count: they prove nothing about the package. */
  #countFailures(): void {
    const bad: HostOutcome[] = ["failed", "rolled_back", "rollback_failed"];
    const failed = [...this.#results.values()].filter((r) => bad.includes(r.outcome)).length;
    const allowed = this.#plan.strategy?.maxFailures ?? 0;
    if (failed > allowed) {
      this.stop(`${failed} ${failed === 1 ? "host" : "hosts"} failed, ${allowed} allowed`);
    }
  }
}

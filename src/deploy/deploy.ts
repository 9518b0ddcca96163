/**
 * Deploys a package to hosts, or rolls hosts back, as an async generator of progress.
 *
 * It depends on neither WebSockets nor the registry: the server, the CLI and the tests iterate the same generator.
 *
 * @module
 */
import { HarnessError } from "../errors.ts";
import { MAX_HOSTS } from "../model/limits.ts";
import { checkEnv, effectivePorts, type EnvSources } from "./env.ts";
import { deployFleet } from "./fleet.ts";
import { hostLayout } from "./host/layout.ts";
import { type DeployPlan, serviceNameOf } from "./plan.ts";
import type { DeployProgress, DeployResult } from "./progress.ts";
import { ProgressQueue } from "./progress_queue.ts";

/** Options for {@linkcode deploy}. */
export interface DeployOptions {
  /** Cancels: no new host is started, hosts in flight are rolled back. */
  signal?: AbortSignal;
}

/**
 * Executes `plan`: yields every step of every host as it happens and returns the outcome per host.
 *
 * Failures of hosts are outcomes, not exceptions. Leaving the loop early cancels, and waits until the hosts in flight
 * are rolled back.
 *
 * @throws {HarnessError} `invalid_params` for an invalid plan, before any host is changed.
 */
export async function* deploy(
  plan: DeployPlan,
  options: DeployOptions = {},
): AsyncGenerator<DeployProgress, DeployResult> {
  checkPlan(plan);
  const queue = new ProgressQueue();
  const left = new AbortController();
  const signal = options.signal === undefined
    ? left.signal
    : AbortSignal.any([options.signal, left.signal]);
  const work = deployFleet(plan, { signal, report: (event) => queue.push(event) });
  // Errors are handled by the `await work` below.
  work.catch(() => {}).finally(() => queue.close());
  try {
    yield* queue;
    const result = await work;
    yield {
      deployment_id: plan.deploymentId,
      service: serviceNameOf(plan),
      host: null,
      step: "finish",
      status: result.status === "succeeded" ? "done" : "failed",
      deployment_status: result.status,
      message: summary(result),
      at: new Date().toISOString(),
    };
    return result;
  } finally {
    left.abort(
      new HarnessError(
        "cancelled",
        "Cannot continue: the progress of the deployment is no longer read",
      ),
    );
    await work.catch(() => {});
  }
}

/** Counts the hosts per outcome, in one line. */
function summary(result: DeployResult): string {
  const counts = new Map<string, number>();
  for (const { outcome } of result.hosts) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(", ");
}

function checkPlan(plan: DeployPlan): void {
  const refuse = (why: string): never => {
    throw new HarnessError("invalid_params", `Cannot deploy ${serviceNameOf(plan)}: ${why}`);
  };
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(plan.deploymentId)) {
    refuse(`"${plan.deploymentId}" is not a valid deployment id`);
  }
  if (plan.hosts.length === 0) refuse("no host is given");
  if (plan.hosts.length > MAX_HOSTS) refuse(`more than ${MAX_HOSTS} hosts`);
  const seen = new Set<string>();
  for (const host of plan.hosts) {
    if (seen.has(host.label)) refuse(`host ${host.label} is given twice`);
    seen.add(host.label);
    hostLayout(host.installRoot ?? "/opt", serviceNameOf(plan));
    if (plan.kind === "deploy") checkHostEnv(plan.package.manifest, sourcesOf(plan, host.env));
  }
}

function checkHostEnv(manifest: Parameters<typeof checkEnv>[0], sources: EnvSources): void {
  checkEnv(manifest, sources);
  effectivePorts(manifest, sources);
}

function sourcesOf(plan: DeployPlan, host: Readonly<Record<string, string>> = {}): EnvSources {
  return {
    dependencies: plan.dependencyEnv ?? {},
    plan: plan.env ?? {},
    host,
    secrets: plan.secrets ?? {},
  };
}

/**
 * Deploys a package to hosts, or rolls hosts back, as an async generator of progress.
 *
 * It knows nothing of WebSockets or of the registry: the server, the CLI and the tests iterate the same generator.
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
  /** Cancels: no new host is started, hosts in flight go back to the version they had. */
  signal?: AbortSignal;
}

/**
 * Carries `plan` out. Yields every step of every host as it happens and returns the outcome per host.
 *
 * Failures of hosts are outcomes, not exceptions. Leaving the loop early cancels and waits until the hosts in flight
 * are back as they were.
 *
 * @throws {HarnessError} `invalid_params` for a plan that makes no sense, before any host is touched.
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
  // The error itself is met by the `await work` below.
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
    left.abort(new HarnessError("cancelled", "Cannot go on: the deployment was left"));
    await work.catch(() => {});
  }
}

/** One line: how many hosts ended how. */
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
    refuse(`"${plan.deploymentId}" is not a deployment id`);
  }
  if (plan.hosts.length === 0) refuse("there is no host to deploy to");
  if (plan.hosts.length > MAX_HOSTS) refuse(`at most ${MAX_HOSTS} hosts at once`);
  const seen = new Set<string>();
  for (const host of plan.hosts) {
    if (seen.has(host.label)) refuse(`the host ${host.label} is there twice`);
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

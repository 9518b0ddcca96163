/**
 * `deploy --direct` and `rollback --direct`: deployments run by this process, without a server.
 *
 * @module
 */
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { deploy } from "../../deploy/deploy.ts";
import { DEPLOY_LOCK_TTL_MS } from "../../deploy/limits.ts";
import type { DeployPlan, HostTarget } from "../../deploy/plan.ts";
import type { DeployProgress, DeployResult } from "../../deploy/progress.ts";
import type { Deployment } from "../../protocol/actions.ts";
import {
  newDeploymentId,
  strategyOf as planStrategy,
  withSecretsApart,
} from "../../server/deployments/deployment_request.ts";
import { streamOf } from "../../server/http/transfers.ts";
import { sshHostDirectory } from "../../server/hosts/ssh_directory.ts";
import { type Context, interruptedExitCode, type Io } from "../context.ts";
import { EXIT } from "../exit_codes.ts";
import { type DEPLOY_FLAGS, strategyOf, valuesOf } from "../flags/deploy_flags.ts";
import { reportDeployment } from "../output/deployment/deployment_report.ts";
import { flagName, type FlagValues, readFlags } from "../flags/flags.ts";
import type { PackageSummary } from "../../package/read.ts";
import type { ProgressView } from "../output/deployment/progress.ts";
import { openProgressView } from "../output/deployment/progress_view.ts";
import { readNamedFile } from "../flags/secrets.ts";
import { hostDirectoryOptions, SSH_FLAGS } from "../flags/ssh_flags.ts";
import { Hangup } from "../session/hangup.ts";
import { visible } from "../../util/terminal_text.ts";
import { formatDuration } from "../../util/units.ts";

/** What {@linkcode deployDirectly} deploys. */
export interface DirectDeployment {
  /** Package file, verified by the caller. */
  summary: PackageSummary;
  /** Hosts as the user wrote them. */
  hosts: readonly string[];
  /** The flags of `deploy`. */
  flags: FlagValues<typeof DEPLOY_FLAGS>;
}

/** Deploys from this process and returns the exit code. */
export async function deployDirectly(
  context: Context,
  given: Record<string, unknown>,
  what: DirectDeployment,
): Promise<number> {
  const { flags, summary: { path, manifest, size, sha256 } } = what;
  const plan: DeployPlan = {
    kind: "deploy",
    deploymentId: newDeploymentId(),
    hosts: await hostsOf(context, given, what.hosts),
    ...withSecretsApart(manifest, await valuesOf(flags)),
    strategy: planStrategy(strategyOf(flags)),
    force: flags.force,
    package: {
      open: async () => streamOf(await open(path, "r")),
      file: basename(path),
      sha256,
      size,
      manifest,
    },
  };
  return await carryOut(context, plan, { ...outputOf(given), version: manifest.version });
}

/** What {@linkcode rollBackDirectly} rolls back. */
export interface DirectRollback {
  /** Service name. */
  name: string;
  /** Version to go back to; the last good one when left out. */
  version?: string;
  /** Hosts as the user wrote them. */
  hosts: readonly string[];
}

/** Rolls back from this process and returns the exit code. */
export async function rollBackDirectly(
  context: Context,
  given: Record<string, unknown>,
  what: DirectRollback,
): Promise<number> {
  const { name, version } = what;
  const plan: DeployPlan = {
    kind: "rollback",
    deploymentId: newDeploymentId(),
    hosts: await hostsOf(context, given, what.hosts),
    package: { name, ...(version === undefined ? {} : { version }) },
  };
  return await carryOut(context, plan, { ...outputOf(given), version: version ?? null });
}

function outputOf(given: Record<string, unknown>): { json: boolean } {
  return { json: given["json"] === true };
}

/** @throws {HarnessError} `not_found` or `forbidden` for a file that was named and cannot be read. */
async function hostsOf(
  context: Context,
  given: Record<string, unknown>,
  hosts: readonly string[],
): Promise<HostTarget[]> {
  const flags = readFlags(SSH_FLAGS, given, context.io);
  // Checked before anything is uploaded. A known_hosts file may not exist yet.
  for (const path of flags.identity) {
    await readNamedFile({ place: placeOf(given, "identity"), path });
  }
  if (flags.sshConfig !== null && flags.sshConfig !== "none") {
    await readNamedFile({ place: placeOf(given, "sshConfig"), path: flags.sshConfig });
  }
  const directory = sshHostDirectory(hostDirectoryOptions(flags));
  return hosts.map((host) => directory.resolve(host));
}

/** The flag, or the variable where it is not given. */
function placeOf(given: Record<string, unknown>, key: "identity" | "sshConfig"): string {
  return given[key] === undefined ? SSH_FLAGS[key].env ?? "" : `--${flagName(key)}`;
}

/**
 * Carries out the deployment. Ctrl-C, SIGTERM and the end of the terminal cancel it, and hosts in flight go back to
 * what they had; a second Ctrl-C does not wait for that.
 */
async function carryOut(
  context: Context,
  plan: DeployPlan,
  options: { json: boolean; version: string | null },
): Promise<number> {
  const { io } = context;
  const startedAt = new Date().toISOString();
  using hangup = new Hangup();
  const signal = AbortSignal.any([io.interrupted, hangup.signal]);
  const view = await openProgressView(io, plan.hosts.map((host) => host.label), options);
  const seen: Seen = { result: null, times: new Map() };
  try {
    await show(io, deploy(plan, { signal }), { view, signal, seen });
  } finally {
    view.end(seen.result !== null && io.outIsTerminal ? "erased" : "kept");
  }
  const interrupted = interruptedExitCode(io) ?? (hangup.signal.aborted ? EXIT.hungUp : null);
  const { result, times } = seen;
  if (result === null) {
    const inFlight = [...times].filter(([, { finished_at }]) => finished_at === undefined);
    io.err(givenUpText(inFlight.map(([host]) => host)));
    return interrupted ?? EXIT.failure;
  }
  const deployment = asDeployment(plan, { result, times, startedAt, version: options.version });
  const code = reportDeployment(io, deployment, options);
  return interrupted ?? code;
}

/** What was seen of a deployment so far. */
interface Seen {
  /** How it ended; `null` until then. */
  result: DeployResult | null;
  /** When the hosts that were begun began and ended. */
  readonly times: Map<string, { started_at: string; finished_at?: string }>;
}

/** Shows the steps until the result, or until a second interrupt gives up waiting for it. */
async function show(
  io: Io,
  steps: AsyncGenerator<DeployProgress, DeployResult>,
  { view, signal, seen }: { view: ProgressView; signal: AbortSignal; seen: Seen },
): Promise<void> {
  const { promise: givenUp, resolve: giveUp } = Promise.withResolvers<null>();
  signal.addEventListener("abort", () => {
    io.err("cancelling: hosts in flight return to their previous version; Ctrl-C again gives up\n");
    io.nextInterrupt().addEventListener("abort", () => giveUp(null));
  });
  while (seen.result === null) {
    const next = await Promise.race([steps.next(), givenUp]);
    if (next === null) return;
    if (next.done === true) seen.result = next.value;
    else {
      note(seen, next.value);
      view.show(next.value);
    }
  }
}

function note({ times }: Seen, { host, step, at }: DeployProgress): void {
  if (host === null) return;
  const known = times.get(host);
  if (step !== "finish") times.set(host, known ?? { started_at: at });
  else if (known !== undefined) known.finished_at = at;
}

/** By when a watchdog has acted at the latest: the time to live of the lock, and half of it to notice. */
const WATCHDOG_LATEST_MS = 1.5 * DEPLOY_LOCK_TTL_MS;

function givenUpText(hosts: readonly string[]): string {
  const [names, whose] = hosts.length === 1 ? [hosts[0] ?? "", "its"] : [hosts.join(", "), "their"];
  return `gave up waiting for ${
    visible(names)
  }: ${whose} watchdog puts the previous version back ` +
    `and frees the lock within ${formatDuration(WATCHDOG_LATEST_MS)}\n`;
}

function asDeployment(
  plan: DeployPlan,
  { result, times, startedAt, version }: {
    result: DeployResult;
    times: Seen["times"];
    startedAt: string;
    version: string | null;
  },
): Deployment {
  return {
    deployment_id: result.deploymentId,
    package: plan.kind === "deploy" ? plan.package.file : plan.package.name,
    service: plan.kind === "deploy" ? plan.package.manifest.name : plan.package.name,
    version: version ?? result.hosts[0]?.versionAfter ?? null,
    kind: plan.kind,
    status: result.status,
    started_at: startedAt,
    finished_at: new Date().toISOString(),
    hosts: result.hosts.map(({ host, outcome, step, error }) => ({
      host,
      outcome,
      step,
      ...times.get(host),
      ...(error === null ? {} : { error }),
    })),
  };
}

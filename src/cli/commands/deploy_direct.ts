/**
 * `deploy --direct` and `rollback --direct`: deployments run by this process, without a server.
 *
 * @module
 */
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { deploy } from "../../deploy/deploy.ts";
import type { DeployPlan, HostTarget } from "../../deploy/plan.ts";
import type { DeployResult } from "../../deploy/progress.ts";
import type { Deployment } from "../../protocol/actions.ts";
import {
  newDeploymentId,
  strategyOf as planStrategy,
  withSecretsApart,
} from "../../server/deployments/deployment_request.ts";
import { streamOf } from "../../server/http/transfers.ts";
import { sshHostDirectory } from "../../server/hosts/ssh_directory.ts";
import type { Context } from "../context.ts";
import { type DEPLOY_FLAGS, environmentOf, secretsOf, strategyOf } from "../flags/deploy_flags.ts";
import { reportDeployment } from "../output/deployment_report.ts";
import { flagName, type FlagValues, readFlags } from "../flags/flags.ts";
import { readPackage } from "./package/file.ts";
import { openProgressView } from "../output/progress_view.ts";
import { interruptedExitCode } from "../output/report.ts";
import { readNamedFile } from "../flags/secrets.ts";
import { hostDirectoryOptions, SSH_FLAGS } from "../flags/ssh_flags.ts";
import { digestOf } from "../session/upload.ts";

/** What {@linkcode deployDirectly} deploys. */
export interface DirectDeployment {
  /** Package file, verified by the caller. */
  file: string;
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
  const { file, flags } = what;
  const { manifest } = await readPackage(file);
  const { size, sha256 } = await digestOf(file);
  const plan: DeployPlan = {
    kind: "deploy",
    deploymentId: newDeploymentId(),
    hosts: await hostsOf(context, given, what.hosts),
    ...withSecretsApart(manifest, {
      env: await environmentOf(flags),
      secrets: await secretsOf(flags),
    }),
    strategy: planStrategy(strategyOf(flags)),
    force: flags.force,
    package: {
      open: async () => streamOf(await open(file, "r")),
      file: basename(file),
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

function outputOf(given: Record<string, unknown>): { json: boolean; quiet: boolean } {
  return { json: given["json"] === true, quiet: given["quiet"] === true };
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

/** Iterates the deployment; Ctrl-C cancels it, and hosts in flight go back to what they had. */
async function carryOut(
  context: Context,
  plan: DeployPlan,
  options: { json: boolean; quiet: boolean; version: string | null },
): Promise<number> {
  const { io } = context;
  const startedAt = new Date().toISOString();
  const view = await openProgressView(io, plan.hosts.map((host) => host.label), options);
  const announce = () => io.err("cancelling: hosts in flight return to their previous version\n");
  io.interrupted.addEventListener("abort", announce);
  let result: DeployResult;
  try {
    const steps = deploy(plan, { signal: io.interrupted });
    let next = await steps.next();
    for (; next.done !== true; next = await steps.next()) view.show(next.value);
    result = next.value;
  } finally {
    io.interrupted.removeEventListener("abort", announce);
    await view.end();
  }
  const code = reportDeployment(
    io,
    asDeployment(plan, result, startedAt, options.version),
    options,
  );
  return interruptedExitCode(io) ?? code;
}

function asDeployment(
  plan: DeployPlan,
  result: DeployResult,
  startedAt: string,
  version: string | null,
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
      ...(error === null ? {} : { error }),
    })),
  };
}

/**
 * Selects the release of a deployment, and checks whether the host is up to date.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { formatEnvFile } from "../../lifecycle/env_file.ts";
import { sameEnvCommand } from "../host/release/commands.ts";
import { releaseEnv } from "../env.ts";
import type { HostContext } from "../host/context.ts";
import { type ReleaseRecord, rollbackTarget, withoutSecrets } from "../host/state.ts";
import { releaseLayout } from "../host/layout.ts";
import { otherRun } from "../host/occupied.ts";
import type { DeployPackagePlan, RollbackPlan } from "../plan.ts";

/** Selects the release; for a deployment decides also whether its files must be installed. */
export function selectRelease(context: HostContext): void {
  const { plan } = context;
  context.release = plan.kind === "deploy"
    ? releaseOf(context, plan)
    : rollbackRelease(context, plan);
}

function releaseOf(context: HostContext, plan: DeployPackagePlan): ReleaseRecord {
  const { manifest, sha256 } = plan.package;
  const { state, layout, service, known } = context;
  const place = releaseLayout(layout, service, manifest.version);
  const same = state.releases.find((r) => r.version === manifest.version && r.sha256 === sha256);
  const other = state.releases.find((r) => r.id === place.id && r.sha256 !== sha256);
  if (same === undefined && other !== undefined && !plan.force) {
    throw new HarnessError(
      "conflict",
      `Cannot deploy ${service} ${manifest.version} to ${context.target.label}: this version is there with ` +
        `other content (sha256 ${other.sha256.slice(0, 12)}…, not ${sha256.slice(0, 12)}…); ` +
        `use a new version, or deploy with --force`,
      { details: { reason: "other_bytes", there: other.sha256, wanted: sha256 } },
    );
  }
  if (same === undefined && other === undefined && known.dirExists) {
    throw new HarnessError(
      "conflict",
      `Cannot deploy ${service} ${manifest.version} to ${context.target.label}: ${place.dir} exists and does ` +
        `not belong to this service; move it away`,
      { details: { reason: "foreign_directory", path: place.dir } },
    );
  }
  const { id, dir } = same ??
    (other === undefined ? place : releaseLayout(layout, service, manifest.version, sha256));
  const there = dir === place.dir ? known.dirExists : known.forcedDirExists;
  const good = same?.status === "good" && there;
  // The active release is never changed, not even by force.
  context.needsFiles = !good || (plan.force === true && state.active !== id);
  return {
    id,
    version: manifest.version,
    sha256,
    dir,
    status: good ? "good" : "installing",
    deployment_id: plan.deploymentId,
    env: same?.env ?? null,
    installed_at: same !== undefined && good ? same.installed_at : new Date().toISOString(),
    committed_at: same?.committed_at ?? null,
    reason: null,
    manifest: withoutSecrets(manifest),
    spec: same?.spec ?? null,
  };
}

function rollbackRelease(context: HostContext, plan: RollbackPlan): ReleaseRecord {
  const { state, service, target } = context;
  const found = rollbackTarget(state, plan.package.version);
  if (found !== null) return { ...found, deployment_id: plan.deploymentId };
  const good = state.releases.filter((r) => r.status === "good").map((r) => r.version);
  const wanted = plan.package.version === undefined
    ? "there is no good release before the active one"
    : `version ${plan.package.version} is not there as a good release`;
  throw new HarnessError(
    "not_found",
    `Cannot roll ${service} back on ${target.label}: ${wanted}; good releases there: ${
      good.length === 0 ? "none" : good.join(", ")
    }`,
    { details: { reason: "no_release", good } },
  );
}

/** Whether the host runs exactly this release: same bytes, same environment. */
export async function isUpToDate(context: HostContext): Promise<boolean> {
  const { plan, chosen, previous } = context;
  if (plan.force || context.needsFiles || !context.previousRan) return false;
  if (previous?.id !== chosen.id || previous.env === null) return false;
  const { status } = context;
  if (status !== null && otherRun(status, { dir: previous.dir, started: null }) !== null) {
    return false;
  }
  if (plan.kind === "rollback") return true;
  const text = envFileOf(context, plan);
  const result = await context.attempt(
    sameEnvCommand(context.place, previous.env, previous.dir),
    { stdin: text },
  );
  return result.exitCode === 0;
}

/** The env file of the release on this host; secrets are marked. */
export function envFileOf(context: HostContext, plan: DeployPackagePlan): string {
  const { manifest } = plan.package;
  const env = releaseEnv(manifest, {
    installDir: context.chosen.dir,
    dataDir: context.layout.shared,
    logDir: context.layout.log,
    host: context.target.address ?? context.target.label,
  }, context.env);
  const secrets = Object.keys(manifest.env).filter((name) => manifest.env[name]?.secret === true);
  return formatEnvFile(env, new Set([...secrets, ...Object.keys(plan.secrets ?? {})]));
}

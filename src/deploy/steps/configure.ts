/**
 * Step `configure`: the environment of the release, and the spec to control it with.
 *
 * @module
 */
import { formatEnvFile } from "../../lifecycle/env_file.ts";
import { redactor } from "../../util/redact.ts";
import { readSecrets } from "../../lifecycle/secrets.ts";
import type { ServiceSpec } from "../../lifecycle/service_spec.ts";
import { configureCommand } from "../host/release/commands.ts";
import { effectivePorts } from "../env.ts";
import type { HostContext, StepResult } from "../host/context.ts";
import type { DeployPackagePlan, RollbackPlan } from "../plan.ts";
import { releaseSpec } from "../release_spec.ts";
import { envFileOf } from "./select_release.ts";

/** Writes a new env file, so that the one of the running release is not changed. */
export async function configure(context: HostContext): Promise<StepResult> {
  const { plan, chosen, place } = context;
  const envName = `${chosen.id}.${place.token}.env`;
  const spec = plan.kind === "deploy"
    ? await fresh(context, plan, envName)
    : await recorded(context, plan, envName);
  context.release = { ...chosen, env: envName, spec, run: context.runOf(spec) };
  await addKnownSecrets(context);
  return {};
}

/** Adds secrets of earlier deployments, which are only in the env files on the host. */
async function addKnownSecrets(context: HostContext): Promise<void> {
  const { machine, signal, chosen, previous, plan, layout } = context;
  const names = [chosen.env, previous?.env ?? null].filter((name) => name !== null);
  const known = await readSecrets(machine, names.map((name) => `${layout.envs}/${name}`), {
    signal,
  });
  context.redact = redactor([...Object.values(plan.secrets ?? {}), ...known]);
}

async function fresh(
  context: HostContext,
  plan: DeployPackagePlan,
  envName: string,
): Promise<ServiceSpec> {
  const { chosen, layout } = context;
  const { manifest } = plan.package;
  const result = await context.send(
    envFileOf(context, plan),
    (bytes) =>
      configureCommand(context.place, {
        dir: chosen.dir,
        envName,
        inherit: null,
        bytes,
      }),
  );
  const has = (path: string) => result.stdout.split("\n").includes(`@has ${path}`);
  return releaseSpec({
    manifest,
    layout,
    release: chosen,
    envName,
    ports: effectivePorts(manifest, context.env),
    files: {
      stopScript: has("scripts/stop.sh"),
      reloadScript: has("scripts/reload.sh"),
      imageTar: has("image.tar"),
    },
  });
}

/** A rollback uses the recorded environment; the plan overrides it. */
async function recorded(
  context: HostContext,
  plan: RollbackPlan,
  envName: string,
): Promise<ServiceSpec> {
  const { chosen, layout } = context;
  if (chosen.spec === null) throw new Error(`release ${chosen.id} was never configured`);
  await context.send(
    formatEnvFile(
      { ...plan.dependencyEnv, ...plan.env, ...plan.secrets },
      new Set(Object.keys(plan.secrets ?? {})),
    ),
    (bytes) =>
      configureCommand(context.place, {
        dir: chosen.dir,
        envName,
        inherit: chosen.env,
        bytes,
      }),
  );
  return { ...chosen.spec, envFile: `${layout.envs}/${envName}` };
}

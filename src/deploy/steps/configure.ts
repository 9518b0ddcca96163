/**
 * Step `configure`: the environment of the release, and the spec to control it with.
 *
 * @module
 */
import { formatEnvFile, secretsIn } from "../../lifecycle/env_file.ts";
import { MAX_ENV_FILE_BYTES } from "../../lifecycle/limits.ts";
import { redactor } from "../../util/redact.ts";
import type { ServiceSpec } from "../../lifecycle/service_spec.ts";
import { configureCommand, readConfigured } from "../host/release/commands.ts";
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
  return {};
}

/** Sends the environment, and adds the secrets of earlier deployments, which are only in the env files on the host. */
async function sendEnv(
  context: HostContext,
  text: string,
  files: { envName: string; inherit: string | null },
): Promise<ReadonlySet<string>> {
  const { chosen, previous, place, plan } = context;
  const result = await context.send(
    text,
    (bytes) =>
      configureCommand(place, {
        ...files,
        dir: chosen.dir,
        previous: previous?.env ?? null,
        bytes,
      }),
    { maxOutputBytes: MAX_ENV_FILE_BYTES },
  );
  const found = readConfigured(result.stdout);
  context.redact = redactor([...Object.values(plan.secrets ?? {}), ...secretsIn(found.env)]);
  return found.files;
}

async function fresh(
  context: HostContext,
  plan: DeployPackagePlan,
  envName: string,
): Promise<ServiceSpec> {
  const { chosen, layout } = context;
  const { manifest } = plan.package;
  const files = await sendEnv(context, envFileOf(context, plan), { envName, inherit: null });
  return releaseSpec({
    manifest,
    layout,
    release: chosen,
    envName,
    ports: effectivePorts(manifest, context.env),
    files: {
      stopScript: files.has("scripts/stop.sh"),
      reloadScript: files.has("scripts/reload.sh"),
      imageTar: files.has("image.tar"),
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
  const given = formatEnvFile(
    { ...plan.dependencyEnv, ...plan.env, ...plan.secrets },
    new Set(Object.keys(plan.secrets ?? {})),
  );
  await sendEnv(context, given, { envName, inherit: chosen.env });
  return { ...chosen.spec, envFile: `${layout.envs}/${envName}` };
}

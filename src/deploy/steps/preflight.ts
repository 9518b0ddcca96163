/**
 * Step `preflight`: checks the host before anything is sent.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { DEPLOY_SPACE_FACTOR } from "../limits.ts";
import type { Occupant } from "../../lifecycle/service_spec.ts";
import type { HostContext, StepResult } from "../host/context.ts";
import { isNeighbour, occupiedError } from "../host/occupied.ts";
import type { DeployPackagePlan } from "../plan.ts";
import { releaseSpec } from "../release_spec.ts";

/** Fails with all problems of the host at once; then if something else has the name of the release. */
export async function preflight(context: HostContext): Promise<StepResult> {
  const { service, target, state } = context;
  const problems = findProblems(context);
  if (problems.length > 0) {
    throw new HarnessError(
      "deploy_failed",
      `Cannot deploy ${service} to ${target.label}: ${problems.join("; ")}`,
      { details: { reason: "preflight", problems } },
    );
  }
  assertSameUser(context);
  const occupant = await findOccupant(context);
  const error = occupiedError(occupant, state, { service, host: target.label });
  if (error !== null) throw error;
  if (occupant === null) return {};
  if (isNeighbour(occupant)) {
    return { message: `another install root runs one too: ${occupant.detail}` };
  }
  return occupant.givesWay === true ? { message: `takes ${occupant.name} over` } : {};
}

/** Only root can stop what another user runs; trying to would leave two running. */
function assertSameUser({ previous, known, service, target }: HostContext): void {
  const run = previous?.run;
  if (run === undefined || known.uid === 0 || run.uid === known.uid) return;
  const how = run.uid === 0 ? "use --become sudo" : `deploy it as ${run.user}`;
  throw new HarnessError(
    "conflict",
    `Cannot deploy ${service} to ${target.label}: ${previous?.version} was deployed there as ${run.user} ` +
      `(${run.manager}), and this is ${known.login}; ${how}`,
    { details: { reason: "owner", owner: run.user, found: "record", run: { ...run } } },
  );
}

/** What has the name of the release. */
async function findOccupant(context: HostContext): Promise<Occupant | null> {
  const { chosen, plan, layout, signal } = context;
  const spec = plan.kind === "rollback" ? chosen.spec : releaseSpec({
    manifest: plan.package.manifest,
    layout,
    release: chosen,
    envName: "",
    ports: [],
    // Irrelevant for names.
    files: { stopScript: false, reloadScript: false, imageTar: false },
  });
  if (spec === null) return null;
  const release = { ...chosen, spec, run: context.runOf(spec) };
  return await context.controller(release).occupant({ signal });
}

function findProblems(context: HostContext): string[] {
  const { known, layout, plan } = context;
  const problems: string[] = [];
  const commands = [...new Set(known.missingCommands)];
  if (commands.length > 0) {
    problems.push(`it does not have ${commands.join(", ")}; install ${them(commands)}`);
  }
  if (!known.writable) problems.push(`${layout.root} cannot be written`);
  if (!known.sameFileSystem) {
    problems.push(
      `${layout.root} and ${layout.base} are on two file systems; renames must be atomic`,
    );
  }
  if (plan.kind === "deploy") problems.push(...packageProblems(context, plan));
  return problems;
}

function packageProblems(context: HostContext, plan: DeployPackagePlan): string[] {
  const { known } = context;
  const { manifest, size } = plan.package;
  const problems: string[] = [];
  const { arch } = manifest.requires;
  if (arch.length > 0 && !arch.includes(known.arch)) {
    problems.push(`it is ${known.arch}, and the package is for ${arch.join(", ")}`);
  }
  if (known.missingLibraries.length > 0) {
    const libraries = known.missingLibraries;
    problems.push(`it does not have ${libraries.join(", ")}; install ${them(libraries)}`);
  }
  if (known.engineProblem !== null) {
    problems.push(`${known.engineProblem}; the package is a ${manifest.service.type}`);
  }
  if (!known.userExists) problems.push(`the user ${manifest.service.user} does not exist there`);
  const needed = context.needsFiles ? size * DEPLOY_SPACE_FACTOR : 0;
  if (known.freeBytes !== null && known.freeBytes < needed) {
    problems.push(
      `${context.layout.root} has ${mebibytes(known.freeBytes)} free and about ${
        mebibytes(needed)
      } are needed`,
    );
  }
  return problems;
}

function them(items: readonly string[]): string {
  return items.length === 1 ? "it" : "them";
}

function mebibytes(bytes: number): string {
  return `${(bytes / (1024 * 1024)).toFixed(1)} MiB`;
}

/**
 * `deploy`: deploys a package to hosts, through a server or directly.
 *
 * @module
 */
import type { Command } from "../command_line/command.ts";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HarnessError } from "../../errors.ts";
import { CLIENT_FLAGS, openSession, type Session } from "../session/connect.ts";
import { addHandler, type Context } from "../context.ts";
import {
  chosenHosts,
  DEPLOY_FLAGS,
  DEPLOY_SSH_FLAGS,
  FOLLOW_FLAGS,
  HOST_FLAGS,
  strategyOf,
  targetsFor,
  valuesOf,
} from "../flags/deploy_flags.ts";
import { followHint } from "../output/deployment/deployment_report.ts";
import { addFlags, type FlagValues, presentFields, readFlags } from "../flags/flags.ts";
import { beginDeployment, openDeploymentEvents, showDeployment } from "../session/follow.ts";
import { unreadable } from "../flags/secrets.ts";
import { note } from "../output/notes.ts";
import { CLEAR_LINE } from "../output/styles.ts";
import { printJson, printLine } from "../output/table.ts";
import type { PackageCheck } from "../session/held_back.ts";
import { downloadPackage, type Upload, uploadPackage, whileChecked } from "../session/upload.ts";
import { hasErrorCode } from "../../util/node/files.ts";

type DeployFlags = FlagValues<typeof DEPLOY_FLAGS>;

/** Declares the command. */
export function declareDeploy(command: Command, context: Context): void {
  addFlags(command, HOST_FLAGS, "Hosts:");
  addFlags(command, DEPLOY_FLAGS, "Deployment:");
  addFlags(command, FOLLOW_FLAGS);
  addFlags(command, DEPLOY_SSH_FLAGS, "SSH:");
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, (given, reference = "") => {
    return deployCommand(context, given as Record<string, unknown>, reference);
  });
}

async function deployCommand(
  context: Context,
  given: Record<string, unknown>,
  reference: string,
): Promise<number> {
  const flags = readFlags(DEPLOY_FLAGS, given, context.io);
  const { detach, direct } = readFlags(FOLLOW_FLAGS, given, context.io);
  const hosts = await chosenHosts(readFlags(HOST_FLAGS, given, context.io));
  if (hosts.length === 0) {
    throw new HarnessError(
      "invalid_params",
      "Cannot deploy: no host is named, give --host (repeatable), --hosts-file or --local",
    );
  }
  const file = await localPackage(reference);
  if (flags.requireSignature !== null) {
    const { trustedKeys } = await import("./package/signatures.ts");
    await trustedKeys([flags.requireSignature]);
  }
  const check = file === null ? null : await checkPackage(context, file, flags);
  if (direct) {
    if (check === null) throw notAFile(reference);
    const { deployDirectly } = await import("./deploy_direct.ts");
    return await deployDirectly(context, given, { summary: await check.summary, hosts, flags });
  }
  return await whileChecked(
    check,
    () => deployThroughServer(context, given, { reference, check, hosts, flags, detach }),
  );
}

/** What {@linkcode deployThroughServer} deploys. */
interface ServerDeployment {
  /** Package that the server holds, or the file. */
  readonly reference: string;
  /** The check of the file; `null` where there is none. */
  readonly check: PackageCheck | null;
  readonly hosts: readonly string[];
  readonly flags: DeployFlags;
  /** Whether not to wait for the end. */
  readonly detach: boolean;
}

async function deployThroughServer(
  context: Context,
  given: Record<string, unknown>,
  { reference, check, hosts, flags, detach }: ServerDeployment,
): Promise<number> {
  const targets = targetsFor(hosts, given);
  const { env, secrets } = await valuesOf(flags);
  await using session = await openSession(context, given, { follows: true });
  const { name, sha256 } = await beforeDeployment(
    context,
    () =>
      check === null
        ? heldPackage(context, session, reference, flags)
        : upload(context, session, { path: reference, check, force: flags.force }),
  );
  const events = await openDeploymentEvents(context, session);
  const params = {
    package: name,
    targets,
    env,
    secrets,
    strategy: strategyOf(flags),
    ...(flags.force ? { force: true } : {}),
    ...presentFields({ sha256, idempotency_key: flags.idempotencyKey }),
  };
  const id = await beginDeployment(
    context,
    (options) => session.call("deploy_package", params, options),
  );
  if (detach) return detached(context, session, id);
  return await showDeployment(context, session, events, id, { offerCancel: true });
}

/** What comes before the deployment: who interrupts it is told that nothing has happened. */
async function beforeDeployment<T>({ io }: Context, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work();
    io.interrupted.throwIfAborted();
    return result;
  } catch (error) {
    if (io.interrupted.aborted) {
      const echoed = io.screen === null ? "" : CLEAR_LINE;
      io.err(`${echoed}interrupted before the deployment: nothing was deployed\n`);
    }
    throw error;
  }
}

/** What `--detach` prints: the id on stdout, what to do with it on stderr. */
export function detached(context: Context, session: Session, deploymentId: string): number {
  if (session.flags.json) printJson(context.io, { deployment_id: deploymentId });
  else {
    printLine(context.io, deploymentId);
    note(context.io, followHint(deploymentId));
  }
  return 0;
}

/** The package as a local file, or `null` where the reference is one of the server's. */
async function localPackage(reference: string): Promise<string | null> {
  try {
    const info = await stat(reference);
    if (info.isFile()) return reference;
    throw new HarnessError(
      "invalid_params",
      `Cannot deploy ${reference}: it is a directory, make a package of it with ` +
        `\`harness-ws-server package build ${reference}\``,
    );
  } catch (error) {
    if (error instanceof HarnessError) throw error;
    // A bare name may be one that the server holds; a path can only be meant as a file.
    const isPath = /[/\\]/.test(reference);
    if (hasErrorCode(error, "ENOENT") && !isPath) return null;
    throw unreadable({ place: "the package", path: reference }, error);
  }
}

/** Checks the package: where a signature is required, whole and with it before anything is touched. */
async function checkPackage(
  { io }: Context,
  file: string,
  { requireSignature: key }: DeployFlags,
): Promise<PackageCheck> {
  const { beginCheck } = await import("./package/file.ts");
  const check = await beginCheck(file, io.interrupted);
  if (key === null) return check;
  await check.summary;
  const { requireSignature } = await import("./package/signatures.ts");
  await requireSignature(file, key);
  return check;
}

/** What the server is to deploy: with a digest it refuses other bytes that came meanwhile. */
interface Chosen {
  readonly name: string;
  readonly sha256: string | null;
}

async function upload(
  context: Context,
  session: Session,
  what: Omit<Upload, "held">,
): Promise<Chosen> {
  const held = await session.call("list_packages", {});
  const info = await uploadPackage(context, session.flags, { ...what, held });
  return { name: info.file, sha256: info.sha256 };
}

/** A package of the server's; where a signature is required, it is checked here and not believed. */
async function heldPackage(
  context: Context,
  session: Session,
  reference: string,
  flags: DeployFlags,
): Promise<Chosen> {
  if (flags.requireSignature === null) return { name: reference, sha256: null };
  const { matchesPackage } = await import("../../server/packages/package_files.ts");
  const info = (await session.call("list_packages", {}))
    .find(({ file }) => file === reference || matchesPackage(file, reference));
  if (info === undefined) {
    throw new HarnessError(
      "not_found",
      `Cannot deploy ${reference}: there is no such file, and the server holds no such package`,
    );
  }
  const { requireSignature } = await import("./package/signatures.ts");
  const dir = await mkdtemp(join(tmpdir(), "harness-deploy-"));
  try {
    const path = await downloadPackage(context, session.flags, info, dir);
    await requireSignature(path, flags.requireSignature);
    return { name: info.file, sha256: info.sha256 };
  } finally {
    await rm(dir, { recursive: true });
  }
}

function notAFile(reference: string): HarnessError {
  return new HarnessError(
    "not_found",
    `Cannot deploy ${reference} directly: there is no such file, and without a server no other packages`,
  );
}

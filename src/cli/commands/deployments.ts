/**
 * `deployments`: list, show, follow, resume, cancel.
 *
 * @module
 */
import type { Command } from "../command_line/command.ts";
import { MAX_PAGE_SIZE } from "../../model/limits.ts";
import type { Deployment } from "../../protocol/actions.ts";
import { CLIENT_FLAGS, openSession } from "../session/connect.ts";
import { addHandler, type Context } from "../context.ts";
import { SECRET_FLAGS, secretsOf } from "../flags/deploy_flags.ts";
import { reportDeployment } from "../output/deployment/deployment_report.ts";
import {
  addFlags,
  type FlagTable,
  presentFields,
  readFlags,
  TABLE_FLAGS,
  textFlag,
  valueFlag,
} from "../flags/flags.ts";
import { beginDeployment, openDeploymentEvents, showDeployment } from "../session/follow.ts";
import { note } from "../output/notes.ts";
import { ageOf, fullTime } from "../output/times.ts";
import { printJson, printLine, printTable } from "../output/table.ts";
import { integer } from "../flags/values.ts";

const DEFAULT_SHOWN = 20;

const LIST_FLAGS = {
  service: textFlag("name", { help: "only of this service" }),
  limit: valueFlag<number>("n", {
    help: "at most this many",
    fallback: DEFAULT_SHOWN,
    shownDefault: `${DEFAULT_SHOWN}`,
  }, integer(1, MAX_PAGE_SIZE)),
} satisfies FlagTable;

/** Declares `deployments list`. */
export function declareList(command: Command, context: Context): void {
  addFlags(command, LIST_FLAGS);
  addFlags(command, TABLE_FLAGS);
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, (given) => listDeployments(context, given));
}

/** Declares `deployments show`. */
export function declareShow(command: Command, context: Context): void {
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, async (given, deployment_id = "") => {
    await using session = await openSession(context, given as object);
    const deployment = await session.call("get_deployment", { deployment_id });
    const { json } = session.flags;
    return reportDeployment(context.io, deployment, {
      json,
      canResume: true,
      failuresTo: "stdout",
    });
  });
}

/** Declares `deployments follow`. */
export function declareFollow(command: Command, context: Context): void {
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, async (given, deploymentId = "") => {
    await using session = await openSession(context, given as object, { follows: true });
    const events = await openDeploymentEvents(context, session);
    return await showDeployment(context, session, events, deploymentId);
  });
}

/** Declares `deployments resume`. */
export function declareResume(command: Command, context: Context): void {
  addFlags(command, SECRET_FLAGS);
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, async (given, deployment_id = "") => {
    const secrets = await secretsOf(
      readFlags(SECRET_FLAGS, given as Record<string, unknown>, context.io),
    );
    await using session = await openSession(context, given as object, { follows: true });
    const events = await openDeploymentEvents(context, session);
    const again = await beginDeployment(
      context,
      (options) => session.call("resume_deployment", { deployment_id, secrets }, options),
    );
    return await showDeployment(context, session, events, again, { offerCancel: true });
  });
}

/** Declares `deployments cancel`. */
export function declareCancel(command: Command, context: Context): void {
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, async (given, deployment_id = "") => {
    await using session = await openSession(context, given as object);
    const deployment = await session.call("cancel_deployment", { deployment_id });
    if (session.flags.json) printJson(context.io, deployment);
    else printLine(context.io, `${deployment.deployment_id} ${afterCancel(deployment)}`);
  });
}

async function listDeployments(context: Context, given: unknown): Promise<void> {
  const flags = readFlags(LIST_FLAGS, given as Record<string, unknown>, context.io);
  await using session = await openSession(context, given as object);
  const deployments = await session.call("list_deployments", {
    limit: flags.limit,
    ...presentFields({ service: flags.service }),
  });
  if (session.flags.json) return printJson(context.io, deployments);
  if (deployments.length === 0) return note(context.io, "no deployments\n");
  const { wide } = readFlags(TABLE_FLAGS, given as Record<string, unknown>, context.io);
  const head = ["ID", "KIND", "SERVICE", "VERSION", "STATUS", "HOSTS"];
  printTable(context.io, {
    head: [...head, ...(wide ? ["BY", "STARTED", "FINISHED"] : ["AGE"])],
    rows: deployments.map((deployment) => row(deployment, wide)),
  });
}

function row(deployment: Deployment, wide: boolean): string[] {
  const { by = "-", started_at, finished_at } = deployment;
  const { hosts } = deployment;
  const fine = hosts.filter((host) => host.outcome === "ok").length;
  return [
    deployment.deployment_id,
    deployment.kind,
    deployment.service,
    deployment.version ?? "-",
    deployment.status,
    `${fine}/${hosts.length} ok`,
    ...(wide
      ? [by, fullTime(started_at), finished_at === null ? "-" : fullTime(finished_at)]
      : [ageOf(started_at)]),
  ];
}

function afterCancel(deployment: Deployment): string {
  return deployment.finished_at === null
    ? "is being cancelled"
    : `had ended already: ${deployment.status}`;
}

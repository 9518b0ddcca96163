/**
 * Prints a finished deployment: a table, what failed, and what to do next.
 *
 * @module
 */
import type { HostOutcome } from "../../model/deployment.ts";
import { visible } from "../../util/terminal_text.ts";
import type { Deployment, DeploymentHost } from "../../protocol/actions.ts";
import { SERVER_NAME } from "../../version.ts";
import { deploymentExitCode } from "../exit_codes.ts";
import type { Io } from "../context.ts";
import { printJson, printTable } from "./table.ts";
import { hintFor } from "./hints.ts";

/** Lines of a log that are shown with a failure. */
const SHOWN_LOG_LINES = 10;
/** Failures that are printed in full; a fleet often fails on every host for one reason. */
const SHOWN_FAILURES = 3;
/** Details that the message repeats. */
const IN_MESSAGE = ["host", "step", "reason", "problems", "issues"];

/** What happened on a host after which others are not begun. */
const STOPPING: Partial<Record<HostOutcome, string>> = {
  failed: "failed",
  rolled_back: "was rolled back",
  rollback_failed: "could not be put back",
  unreachable: "was unreachable",
};

/** Ends after which something is left to do. */
const RESUMABLE: readonly Deployment["status"][] = ["failed", "partial", "interrupted"];

/** Prints a deployment and returns its exit code. */
export function reportDeployment(
  io: Io,
  deployment: Deployment,
  options: { json: boolean; canResume?: boolean },
): number {
  const code = deploymentExitCode(deployment);
  if (options.json) {
    printJson(io, deployment);
    return code;
  }
  printTable(io, {
    head: ["HOST", "OUTCOME", "STEP", "ERROR"],
    rows: deployment.hosts.map((host) => hostRow(host, deployment)),
  });
  const failed = deployment.hosts.filter((host) => host.error !== undefined);
  for (const host of failed.slice(0, SHOWN_FAILURES)) printFailure(io, host);
  if (failed.length > SHOWN_FAILURES) {
    io.err(`\n… and ${failed.length - SHOWN_FAILURES} more, with --json in full\n`);
  }
  const { status, service, version, deployment_id: id } = deployment;
  const what = `${deployment.kind} of ${service}${version === null ? "" : ` ${version}`}`;
  io.err(`${visible(`${id}: ${what} ${status}${counts(deployment)}`)}\n`);
  if (options.canResume === true && RESUMABLE.includes(status)) {
    io.err(`  try the rest again:  ${SERVER_NAME} deployments resume ${visible(id)}\n`);
  }
  return code;
}

function hostRow(host: DeploymentHost, deployment: Deployment): string[] {
  const why = host.error === undefined ? whyNotBegun(host, deployment) : host.error.message;
  return [host.host, host.outcome ?? "-", host.step ?? "-", why];
}

/** Why a host without an error of its own got nothing. */
function whyNotBegun({ outcome }: DeploymentHost, { hosts }: Deployment): string {
  if (outcome === "cancelled") return "not begun: the deployment was cancelled";
  if (outcome !== "skipped") return "";
  // An unreachable host stops the others only where no host failed: as a canary.
  const stopping = hosts.filter((host) => host.outcome !== null && host.outcome in STOPPING);
  const failed = stopping.filter((host) => host.outcome !== "unreachable");
  const [first, ...more] = failed.length === 0 ? stopping : failed;
  if (first === undefined) return "not begun";
  const others = more.length === 0 ? "" : `, and ${more.length} more did not go well`;
  return `not begun: ${first.host} ${STOPPING[first.outcome ?? "failed"]}${others}`;
}

function counts(deployment: Deployment): string {
  const byOutcome = new Map<string, number>();
  for (const { outcome } of deployment.hosts) {
    const word = outcome ?? "not finished";
    byOutcome.set(word, (byOutcome.get(word) ?? 0) + 1);
  }
  if (deployment.hosts.length < 2) return "";
  return ` (${[...byOutcome].map(([word, count]) => `${count} ${word}`).join(", ")})`;
}

/** Prints the failure of one host: step, details, last log lines. */
function printFailure(io: Io, host: DeploymentHost): void {
  const { error } = host;
  if (error === undefined || error.code === "cancelled") return;
  const facts = Object.entries({ ...error.details, hint: hintFor(error) })
    .filter(([name, value]) => value !== null && value !== "" && !IN_MESSAGE.includes(name));
  if (facts.length === 0) return;
  io.err(`\n${visible(`${host.host} at ${host.step ?? "?"} [${error.code}]`)}\n`);
  for (const [name, value] of facts) {
    if (name === "log") continue;
    io.err(`  ${visible(`${name.replaceAll("_", " ")}: ${factText(value)}`)}\n`);
  }
  const log = error.details?.["log"];
  if (!Array.isArray(log) || log.length === 0) return;
  io.err("  last log lines:\n");
  for (const line of log.slice(-SHOWN_LOG_LINES)) io.err(`    ${visible(String(line))}\n`);
}

/** A detail of an error for people: what a list or an object holds, without its punctuation. */
function factText(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(factText).join(", ");
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .filter(([, part]) => part !== null && part !== "")
    .map(([name, part]) => `${name.replaceAll("_", " ")} ${factText(part)}`)
    .join(", ");
}

/** The commands for a deployment that is no longer followed and still runs. */
export function followHint(deploymentId: string): string {
  const id = visible(deploymentId);
  return `${id} continues in the server\n` +
    `  follow it:  ${SERVER_NAME} deployments follow ${id}\n` +
    `  cancel it:  ${SERVER_NAME} deployments cancel ${id}\n`;
}

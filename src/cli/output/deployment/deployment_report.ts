/**
 * Prints a finished deployment: a table, below it each failure in full, and what to do next.
 *
 * @module
 */
import type { HostOutcome } from "../../../model/deployment.ts";
import { formatElapsed } from "../../../util/units.ts";
import { visible } from "../../../util/terminal_text.ts";
import type { Deployment, DeploymentHost } from "../../../protocol/actions.ts";
import { SERVER_NAME } from "../../../version.ts";
import { deploymentExitCode } from "../../exit_codes.ts";
import type { Io } from "../../context.ts";
import { detailsOf, type FailureGroup, failureGroups } from "./failure_groups.ts";
import { hintFor } from "../hints.ts";
import { colorOf, paint, printJson, printTable } from "../table.ts";
import { wrapText } from "../text_layout.ts";

/** Lines of a log that are shown with a failure. */
const SHOWN_LOG_LINES = 10;
/** Hosts that are named for a group: the table has them all. */
const SHOWN_NAMES = 20;
/** Details that the message repeats, or that are not for people. */
const IN_MESSAGE = ["host", "step", "reason", "problems", "issues", "address", "port"];
const ALSO_IN_MESSAGE = ["fingerprint", "key_type"];

/** What happened on a host after which others are not begun. */
const STOPPING: Partial<Record<HostOutcome, string>> = {
  failed: "failed",
  rolled_back: "was rolled back",
  rollback_failed: "could not be put back",
  unreachable: "was unreachable",
};

/** Ends after which something is left to do. */
const RESUMABLE: readonly Deployment["status"][] = ["failed", "partial", "interrupted"];

/** Options for {@linkcode reportDeployment}. */
export interface ReportOptions {
  /** Print the deployment as JSON. */
  json: boolean;
  /** Whether the server can resume it. @default {false} */
  canResume?: boolean;
  /** Where the failures are printed: the table is always on stdout. @default {"stderr"} */
  failuresTo?: "stdout" | "stderr";
}

/** Prints a deployment and returns its exit code. */
export function reportDeployment(io: Io, deployment: Deployment, options: ReportOptions): number {
  const code = deploymentExitCode(deployment);
  if (options.json) {
    printJson(io, deployment);
    return code;
  }
  printTable(io, {
    head: ["HOST", "OUTCOME", "STEP", "TIME"],
    rows: deployment.hosts.map((host) => [
      host.host,
      host.outcome ?? "-",
      host.step ?? "-",
      timeOf(host),
    ]),
  });
  const text = new ReportText(io, options.failuresTo ?? "stderr");
  for (const group of failureGroups(deployment.hosts)) printFailure(text, group);
  printNotBegun(text, deployment);
  const { status, service, version, deployment_id: id } = deployment;
  const what = `${deployment.kind} of ${service}${version === null ? "" : ` ${version}`}`;
  const isWhole = deployment.hosts.every(({ outcome }) => outcome === "ok" || outcome === null);
  if (!isWhole) text.line("");
  text.line(`${id}: ${what} ${status}${counts(deployment)}`, { word: status });
  if (options.canResume === true && RESUMABLE.includes(status)) {
    text.line(`  try the rest again:  ${SERVER_NAME} deployments resume ${id}`);
  }
  return code;
}

/** Lines of the report, wrapped between words on a terminal. */
class ReportText {
  readonly #io: Io;
  readonly #write: (text: string) => void;
  readonly #columns: number | null;
  readonly #color: boolean;

  constructor(io: Io, to: "stdout" | "stderr") {
    this.#io = io;
    const isOut = to === "stdout";
    this.#write = (text) => isOut ? io.out(text) : io.err(text);
    this.#columns = isOut ? (io.outIsTerminal ? io.columns : null) : io.errColumns;
    this.#color = isOut ? io.color : io.errColor;
  }

  /** Prints a line; further lines of it are indented by two more. `word` has its colour. */
  line(text: string, { word = "" }: { word?: string } = {}): void {
    const [, indent = "", rest = ""] = /^( *)(.*)$/s.exec(visible(text)) ?? [];
    const room = this.#columns === null ? Infinity : this.#columns - indent.length - 2;
    for (const [index, part] of wrapText(rest, room).entries()) {
      const shown = word === ""
        ? part
        : part.replace(word, paint(word, colorOf(word), this.#color));
      this.#write(`${indent}${index === 0 ? "" : "  "}${shown}\n`);
    }
  }
}

function timeOf({ started_at, finished_at }: DeploymentHost): string {
  if (started_at === undefined) return "-";
  const end = finished_at === undefined ? Date.now() : Date.parse(finished_at);
  return formatElapsed(end - Date.parse(started_at));
}

/** `web1: unreachable at connect [unreachable]`, the message, details, and the last lines of the log. */
function printFailure(text: ReportText, group: FailureGroup): void {
  const { first: { host, outcome, step, error }, hosts } = group;
  const word = outcome ?? "not finished";
  const who = hosts.length === 1 ? host : `${hosts.length} hosts`;
  text.line("");
  if (error.code === "cancelled") {
    text.line(`${who}: cancelled at ${step ?? "?"}, what ran before is put back`, { word });
    if (hosts.length > 1) text.line(`  ${namesOf(hosts)}`);
    return;
  }
  text.line(`${who}: ${word} at ${step ?? "?"} [${error.code}]`, { word });
  if (hosts.length > 1) text.line(`  ${namesOf(hosts)}`);
  text.line(`  ${error.message}`);
  const { shared, differing } = detailsOf(group);
  const hint = hintFor(error);
  for (const [name, value] of [...shared, ["hint", hint] as const]) {
    const isRepeated = [...IN_MESSAGE, ...ALSO_IN_MESSAGE, "log"].includes(name);
    if (value === null || value === "" || isRepeated) continue;
    text.line(`  ${labelOf(name)}: ${factText(value)}`);
  }
  printDifferences(text, group, differing.filter((name) => !IN_MESSAGE.includes(name)));
  const log = error.details?.["log"];
  if (!Array.isArray(log) || log.length === 0) return;
  text.line(hosts.length === 1 ? "  last log lines:" : `  last log lines of ${host}:`);
  for (const line of log.slice(-SHOWN_LOG_LINES)) text.line(`    ${String(line)}`);
}

/** What is different on each host of a group, such as its fingerprint; each has its own log. */
function printDifferences(
  text: ReportText,
  { hosts }: FailureGroup,
  names: readonly string[],
): void {
  const shown = names.filter((name) => name !== "log");
  if (shown.length === 0) return;
  for (const { host, error } of hosts) {
    const facts = shown.map((name) => `${labelOf(name)} ${factText(error.details?.[name])}`);
    text.line(`  ${host}: ${facts.join(", ")}`);
  }
}

/** Hosts that were never begun, and why. */
function printNotBegun(text: ReportText, { hosts }: Deployment): void {
  for (const outcome of ["skipped", "cancelled"] as const) {
    const left = hosts.filter((host) => host.outcome === outcome && host.error === undefined);
    if (left.length === 0) continue;
    const why = outcome === "cancelled" ? "the deployment was cancelled" : stoppedBy(hosts);
    const who = left.length === 1 ? left[0]?.host : `${left.length} hosts`;
    text.line("");
    text.line(`${who}: not begun${why === "" ? "" : `: ${why}`}`);
    if (left.length > 1) text.line(`  ${namesOf(left)}`);
  }
}

/** Which host stopped the others. */
function stoppedBy(hosts: readonly DeploymentHost[]): string {
  // An unreachable host stops the others only where no host failed: as a canary.
  const stopping = hosts.filter((host) => host.outcome !== null && host.outcome in STOPPING);
  const failed = stopping.filter((host) => host.outcome !== "unreachable");
  const [first, ...more] = failed.length === 0 ? stopping : failed;
  if (first === undefined) return "";
  const others = more.length === 0 ? "" : `, and ${more.length} more did not go well`;
  return `${first.host} ${STOPPING[first.outcome ?? "failed"]}${others}`;
}

function namesOf(hosts: readonly DeploymentHost[]): string {
  const names = hosts.slice(0, SHOWN_NAMES).map(({ host }) => host).join(", ");
  const left = hosts.length - SHOWN_NAMES;
  return left > 0 ? `${names} and ${left} more` : names;
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

function labelOf(name: string): string {
  return name.replaceAll("_", " ");
}

/** A detail of an error for people: what a list or an object holds, without its punctuation. */
function factText(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(factText).join(", ");
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .filter(([, part]) => part !== null && part !== "")
    .map(([name, part]) => `${labelOf(name)} ${factText(part)}`)
    .join(", ");
}

/** The commands for a deployment that is no longer followed and still runs. */
export function followHint(deploymentId: string): string {
  const id = visible(deploymentId);
  return `${id} continues in the server\n` +
    `  follow it:  ${SERVER_NAME} deployments follow ${id}\n` +
    `  cancel it:  ${SERVER_NAME} deployments cancel ${id}\n`;
}

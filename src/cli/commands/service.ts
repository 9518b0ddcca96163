/**
 * `service …`: shows, controls and registers one service.
 *
 * @module
 */
import type { Command } from "../command_line/command.ts";
import { visible } from "../../util/terminal_text.ts";
import { CLIENT_FLAGS, openSession } from "../session/connect.ts";
import { addHandler, type Context } from "../context.ts";
import {
  addFlags,
  booleanFlag,
  type FlagTable,
  presentFields,
  readFlags,
  valueFlag,
} from "../flags/flags.ts";
import { note, printDone } from "../output/notes.ts";
import { protocolText } from "../output/service_table.ts";
import { ageOf, fullTime } from "../output/times.ts";
import { printFacts, printJson, printLine } from "../output/table.ts";
import { CLI_CONTROL_TIMEOUT_MS } from "../limits.ts";
import type { ServiceEntry } from "../../model/service.ts";
import { duration } from "../flags/values.ts";
import { formatDuration } from "../../util/units.ts";

const CONTROL_CLIENT_FLAGS = {
  ...CLIENT_FLAGS,
  timeout: valueFlag<number>("time", {
    env: "HARNESS_TIMEOUT",
    help: "how long to wait until it is done",
    fallback: CLI_CONTROL_TIMEOUT_MS,
    shownDefault: formatDuration(CLI_CONTROL_TIMEOUT_MS),
  }, duration),
} satisfies FlagTable;

const DEREGISTER_FLAGS = {
  force: booleanFlag({ help: "also while the server runs it: it runs on, unwatched" }),
} satisfies FlagTable;

/** What `--cascade` adds to an action. */
const CASCADES = {
  start: "what it needs first, where that does not run",
  stop: "what needs it first",
  restart: "stop what needs it, start what it needs, and start again what was stopped",
  reload: null,
} as const;

type ControlAction = keyof typeof CASCADES;

/** Declares `service get`. */
export function declareGet(command: Command, context: Context): void {
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, (given, id = "") => getService(context, given, id));
}

/** Declares `service start`, `stop`, `restart` or `reload`, by the name of the command. */
export function declareControl(command: Command, context: Context): void {
  const action = command.name as ControlAction;
  const cascade = CASCADES[action];
  command.option("--dry-run", "only print what would be done, in order");
  if (cascade !== null) command.option("--cascade", cascade);
  addFlags(command, CONTROL_CLIENT_FLAGS, "Server:");
  addHandler<ControlFlags>(
    context,
    command,
    (given, id = "") => control(context, given, action, id),
  );
}

/** Declares `service deregister`. */
export function declareDeregister(command: Command, context: Context): void {
  addFlags(command, DEREGISTER_FLAGS);
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, (given, id = "") => removeService(context, given, id));
}

async function removeService(context: Context, given: unknown, name: string): Promise<void> {
  const { io } = context;
  const { force } = readFlags(DEREGISTER_FLAGS, given as Record<string, unknown>, io);
  await using session = await openSession(context, given as object);
  const data = await session.call("deregister_service", { name, ...(force ? { force } : {}) });
  if (session.flags.json) return printJson(io, data);
  printDone(io, `${name} removed`);
  if (data.runs_on === true) io.err(`${visible(name)} runs on, and nothing watches it any more\n`);
}

async function getService(context: Context, given: unknown, name: string): Promise<void> {
  await using session = await openSession(context, given as object);
  const entry = await session.call("get_service", { name });
  if (session.flags.json) return printJson(context.io, entry);
  printFacts(context.io, facts(entry));
}

function facts(entry: ServiceEntry): Array<[string, string]> {
  const { execution, location, last_health_check: health } = entry;
  const how = Object.entries(execution)
    .filter(([key, value]) => key !== "type" && value !== null && String(value) !== "")
    .map(([key, value]) => `${key} ${Array.isArray(value) ? value.join(" ") : value}`);
  const checked = health === null
    ? "unknown"
    : `${health.healthy ? "healthy" : "unhealthy"}${
      health.message === null ? "" : `: ${health.message}`
    } (${ageOf(health.checked_at)} ago, in ${Math.round(health.duration_ms)} ms)`;
  return [
    ["id", entry.id],
    ["name", entry.name],
    ["version", entry.version],
    [
      "state",
      entry.state_reason === null ? entry.state : `${entry.state}: ${entry.state_reason}`,
    ],
    ["health", checked],
    ["runs as", [execution.type, ...how].join(", ")],
    [
      "on",
      location.type === "local"
        ? "local"
        : `${location.ssh_user}@${location.host}${
          location.ssh_port === null ? "" : `:${location.ssh_port}`
        }`,
    ],
    ...entry.endpoints.map((endpoint): [string, string] => [
      "endpoint",
      `${endpoint.name} ${protocolText(endpoint)} ${endpoint.address}`,
    ]),
    ["depends on", entry.depends_on.join(", ") || "-"],
    ["labels", Object.entries(entry.labels).map(([k, v]) => `${k}=${v}`).join(", ") || "-"],
    ["registered", timeText(entry.registered_at)],
    ["changed", `${timeText(entry.updated_at)}, revision ${entry.revision}`],
  ];
}

function timeText(time: string): string {
  return `${ageOf(time)} ago (${fullTime(time)})`;
}

interface ControlFlags {
  cascade?: boolean;
  dryRun?: boolean;
}

async function control(
  context: Context,
  given: ControlFlags,
  action: ControlAction,
  name: string,
): Promise<void> {
  const { timeout } = readFlags(CONTROL_CLIENT_FLAGS, { ...given }, context.io);
  await using session = await openSession(context, given);
  const data = await session.call("service_action", {
    name,
    action,
    ...presentFields({ cascade: given.cascade, dry_run: given.dryRun }),
  }, { timeoutMs: timeout });
  if (session.flags.json) return printJson(context.io, data);
  for (const [index, step] of (data.plan ?? []).entries()) {
    printLine(context.io, `${index + 1}. ${step.action} ${step.services.join(", ")}`);
  }
  if (data.plan?.length === 0) note(context.io, "nothing to do\n");
  if (given.dryRun !== true) {
    printDone(context.io, `${data.service}  ${data.old_state} → ${data.new_state}`);
  }
}

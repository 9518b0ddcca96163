/**
 * `services`, `endpoints`, `resolve`: list services and where they can be reached.
 *
 * @module
 */
import type { Command } from "../command_line/command.ts";
import { visible } from "../../util/terminal_text.ts";
import { type Endpoint, SERVICE_STATES } from "../../model/service.ts";
import { CLIENT_FLAGS, openSession } from "../session/connect.ts";
import { addHandler, type Context } from "../context.ts";
import {
  addFlags,
  type FlagTable,
  optionalChoiceFlag,
  presentFields,
  readFlags,
  TABLE_FLAGS,
  textFlag,
  valueFlag,
} from "../flags/flags.ts";
import { note } from "../output/notes.ts";
import { protocolText, serviceTable } from "../output/service_table.ts";
import { printJson, printLine, printTable } from "../output/table.ts";

/** Which services. */
export const FILTER_FLAGS = {
  state: optionalChoiceFlag("state", SERVICE_STATES, {
    help: `only in this state: ${SERVICE_STATES.join(", ")}`,
  }),
  host: textFlag("host", { help: "only on this host" }),
  label: valueFlag<string | null>("k=v", {
    help: "only with this label",
    fallback: null,
  }, (text) => {
    if (/^(=|$)/.test(text)) throw new Error("must be key=value, or key for any value");
    return text;
  }),
} satisfies FlagTable;

/** Declares `services`. */
export function declareServices(command: Command, context: Context): void {
  addFlags(command, FILTER_FLAGS);
  addFlags(command, TABLE_FLAGS);
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, (given, name) => listServices(context, given, name));
}

/** Declares `endpoints`. */
export function declareEndpoints(command: Command, context: Context): void {
  addFlags(command, TABLE_FLAGS);
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, (given) => listEndpoints(context, given));
}

/** Declares `resolve`. */
export function declareResolve(command: Command, context: Context): void {
  command.option("--endpoint <name>", "only the endpoint of this name");
  addFlags(command, { wide: { ...TABLE_FLAGS.wide, help: "a table with instances and names" } });
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler<ResolveFlags>(
    context,
    command,
    (given, service = "") => resolveService(context, given, service),
  );
}

async function listServices(context: Context, given: unknown, name?: string): Promise<void> {
  const filter = readFlags(FILTER_FLAGS, given as Record<string, unknown>, context.io);
  await using session = await openSession(context, given as object);
  const data = await session.call("list_services", presentFields({ name, ...filter }));
  const entries = Array.isArray(data) ? data : data.services;
  if (session.flags.json) return printJson(context.io, entries);
  if (entries.length === 0) {
    const asked = [
      ...(name === undefined ? [] : [name]),
      ...Object.entries(filter).flatMap(([flag, value]) =>
        value === null ? [] : [`--${flag} ${value}`]
      ),
    ];
    const what = asked.length === 0 ? "" : ` match ${asked.join(" ")}`;
    return note(context.io, `no services${visible(what)}\n`);
  }
  const { wide } = readFlags(TABLE_FLAGS, given as Record<string, unknown>, context.io);
  printTable(context.io, serviceTable(entries, { wide }));
}

async function listEndpoints(context: Context, given: unknown): Promise<void> {
  const { wide } = readFlags(TABLE_FLAGS, given as Record<string, unknown>, context.io);
  await using session = await openSession(context, given as object);
  const data = await session.call("list_endpoints", {});
  if (session.flags.json) return printJson(context.io, data);
  const rows = Object.entries(data).flatMap(([id, list]) =>
    list.map((endpoint) => [
      ...[id, endpoint.name, protocolText(endpoint), endpoint.address],
      ...(wide ? [metadataText(endpoint)] : []),
    ])
  );
  if (rows.length === 0) return note(context.io, "no endpoints\n");
  printTable(context.io, {
    head: ["ID", "ENDPOINT", "PROTOCOL", "ADDRESS", ...(wide ? ["METADATA"] : [])],
    rows,
  });
}

async function resolveService(
  context: Context,
  given: ResolveFlags,
  service: string,
): Promise<void> {
  await using session = await openSession(context, given);
  const data = await session.call("resolve_endpoint", {
    service,
    ...presentFields({ endpoint: given.endpoint }),
  });
  if (session.flags.json) return printJson(context.io, data);
  if (given.wide !== true) {
    for (const endpoint of data) printLine(context.io, endpoint.address);
    return;
  }
  printTable(context.io, {
    head: ["INSTANCE", "ENDPOINT", "PROTOCOL", "ADDRESS", "METADATA"],
    rows: data.map((endpoint) => [
      ...[endpoint.id, endpoint.name, protocolText(endpoint), endpoint.address],
      metadataText(endpoint),
    ]),
  });
}

interface ResolveFlags {
  endpoint?: string;
  wide?: boolean;
}

function metadataText({ metadata }: Endpoint): string {
  return Object.entries(metadata).map(([key, value]) => `${key}=${value}`).join(" ") || "-";
}

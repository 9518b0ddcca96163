/**
 * `watch`: services as they change, as a table on a terminal and as events elsewhere.
 *
 * @module
 */
import type { Command } from "../command_line/command.ts";
import { HarnessError } from "../../errors.ts";
import { visible } from "../../util/terminal_text.ts";
import type { ClientStatus, EventItem, StreamItem } from "../../client/mod.ts";
import type { SubscribableEvent } from "../../protocol/actions.ts";
import { EVENT_TYPES } from "../../model/event.ts";
import { type ServiceFilter, serviceMatcher } from "../../registry/filter.ts";
import { CLIENT_FLAGS, openSession } from "../session/connect.ts";
import { addHandler, type Context, type Io } from "../context.ts";
import {
  addFlags,
  booleanFlag,
  type FlagTable,
  listFlag,
  presentFields,
  readFlags,
  TABLE_FLAGS,
} from "../flags/flags.ts";
import { oneOf } from "../flags/values.ts";
import { note } from "../output/notes.ts";
import { paint, printJson, printLine, printText } from "../output/table.ts";
import { FILTER_FLAGS } from "./services.ts";

const WATCH_FLAGS = {
  events: booleanFlag({ help: "print events, one line each, instead of a table" }),
  event: {
    ...listFlag<SubscribableEvent>("type", {
      help: `events only of this type: ${EVENT_TYPES.join(", ")}`,
    }, oneOf(EVENT_TYPES)),
    choices: EVENT_TYPES,
  },
} satisfies FlagTable;

/** Declares the command. */
export function declareWatch(command: Command, context: Context): void {
  addFlags(command, WATCH_FLAGS);
  addFlags(command, FILTER_FLAGS, "Table:");
  addFlags(command, TABLE_FLAGS, "Table:");
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, (given, services) => watch(context, given, services));
}

async function watch(context: Context, given: unknown, services: unknown): Promise<void> {
  const { io } = context;
  const fields = given as Record<string, unknown>;
  const flags = readFlags({ ...WATCH_FLAGS, ...TABLE_FLAGS }, fields, io);
  const filter = presentFields(readFlags(FILTER_FLAGS, fields, io));
  const names = Array.isArray(services) ? [...new Set(services.map(String))] : [];
  const asEvents = flags.events || flags.event.length > 0 || fields["json"] === true ||
    io.size() === null;
  if (!asEvents) return await watchAsTable(context, given as object, { names, filter, flags });
  const [unused] = Object.keys(filter);
  if (unused !== undefined) {
    throw new HarnessError(
      "invalid_params",
      `Cannot use --${unused} with events: it chooses rows of the table on a terminal; name services, or use --event`,
    );
  }
  await watchEvents(context, given as object, { names, types: flags.event });
}

async function watchAsTable(
  context: Context,
  given: object,
  what: { names: readonly string[]; filter: ServiceFilter; flags: { wide: boolean } },
): Promise<void> {
  let listener: (status: ClientStatus) => void = () => {};
  await using session = await openSession(context, given, {
    follows: true,
    onStatus: (status) => listener(status),
  });
  const { watchTable } = await import("../live/watch_table.ts");
  await watchTable(context.io, session, {
    names: what.names,
    wants: serviceMatcher(what.filter),
    wide: what.flags.wide,
    onStatus: (it) => listener = it,
  });
}

async function watchEvents(
  context: Context,
  given: object,
  { names, types }: { names: readonly string[]; types: readonly SubscribableEvent[] },
): Promise<void> {
  const { io } = context;
  await using session = await openSession(context, given, { follows: true });
  const stop = AbortSignal.any([io.interrupted, io.outputClosed]);
  const stream = session.client.events({
    events: types.length === 0 ? [...EVENT_TYPES] : [...new Set(types)],
    ...(names.length === 0 ? {} : { services: names }),
    signal: stop,
  });
  await stream.ready;
  note(io, `watching ${session.flags.url}, Ctrl-C ends\n`);
  for await (const item of stream) {
    if (session.flags.json) printJson(io, item);
    else printItem(io, item);
  }
  io.interrupted.throwIfAborted();
}

function printItem(io: Io, item: StreamItem): void {
  if (item.kind === "dropped") io.err(`${item.count} log lines were dropped\n`);
  else if (item.kind === "event") {
    printText(io, `${paint(visible(item.time), "dim", io.color)}  ${visible(eventText(item))}\n`);
  } else if (item.why === "events_missed") {
    io.err("some events were missed and are no longer available; current states:\n");
    for (const entry of item.services) printLine(io, `${entry.id}  ${entry.state}`);
  }
}

/** An event in one line. */
export function eventText(item: EventItem): string {
  switch (item.event) {
    case "service_state_changed": {
      const { id, old_state, new_state, reason } = item.data;
      return `${id}  ${old_state} → ${new_state}${reason === null ? "" : `: ${reason}`}`;
    }
    case "service_registered":
      return `${item.data.id}  registered, version ${item.data.entry.version}`;
    case "service_updated":
      return `${item.data.id}  updated, version ${item.data.entry.version}, revision ${item.data.entry.revision}`;
    case "service_deregistered":
      return `${item.data.id}  deregistered`;
    case "endpoint_updated": {
      const list = item.data.endpoints.map((endpoint) => `${endpoint.name} ${endpoint.address}`);
      return `${item.data.id}  endpoints: ${list.join(", ") || "none"}`;
    }
    case "health_check_result": {
      const { id, healthy, message, duration_ms } = item.data;
      const text = message === null ? "" : `: ${message}`;
      return `${id}  ${healthy ? "healthy" : "unhealthy"}${text} (${Math.round(duration_ms)} ms)`;
    }
    case "deployment_progress": {
      const { deployment_id, host, step, status, outcome, message } = item.data;
      const end = outcome ?? item.data.deployment_status ?? status;
      return `${deployment_id}  ${host ?? "all"}  ${step} ${end}${
        message === undefined ? "" : `: ${message}`
      }`;
    }
    case "service_log":
      return `${item.data.id}  ${item.data.line}`;
  }
}

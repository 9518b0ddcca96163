/**
 * `watch`: prints events as they happen.
 *
 * @module
 */
import type { Command } from "commander";
import { visible } from "../../util/terminal_text.ts";
import type { EventItem, StreamItem } from "../../client/mod.ts";
import type { SubscribableEvent } from "../../protocol/actions.ts";
import { EVENT_TYPES } from "../../model/event.ts";
import { CLIENT_FLAGS, openSession } from "../session/connect.ts";
import { addHandler, type Context, type Io } from "../context.ts";
import { addFlags, type FlagTable, listFlag, readFlags } from "../flags/flags.ts";
import { paint, printJson, printLine } from "../output/table.ts";

const WATCH_FLAGS = {
  event: listFlag<SubscribableEvent>("type", {
    help: `only this type: ${EVENT_TYPES.join(", ")}`,
  }, (text) => {
    const found = EVENT_TYPES.find((type) => type === text);
    if (found === undefined) throw new Error(`must be one of ${EVENT_TYPES.join(", ")}`);
    return found;
  }),
} satisfies FlagTable;

/** Declares the command. */
export function addWatchCommand(program: Command, context: Context): void {
  const command = program.command("watch")
    .description("print events as they happen, until Ctrl-C")
    .argument("[services...]", "ids, names or globs; all when left out");
  addFlags(command, WATCH_FLAGS);
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, (given, services) => watch(context, given, services));
}

async function watch(context: Context, given: unknown, services: unknown): Promise<void> {
  const { io } = context;
  const flags = readFlags(WATCH_FLAGS, given as Record<string, unknown>, io);
  const names = Array.isArray(services) ? services.map(String) : [];
  await using session = await openSession(context, given as object, { follows: true });
  const stop = AbortSignal.any([io.interrupted, io.outputClosed]);
  const stream = session.client.events({
    events: flags.event.length === 0 ? [...EVENT_TYPES] : flags.event,
    ...(names.length === 0 ? {} : { services: names }),
    signal: stop,
  });
  await stream.ready;
  io.err(`watching ${session.flags.url}, Ctrl-C ends\n`);
  for await (const item of stream) {
    if (session.flags.json) printJson(io, item);
    else printItem(io, item);
  }
  io.interrupted.throwIfAborted();
}

function printItem(io: Io, item: StreamItem): void {
  if (item.kind === "dropped") io.err(`${item.count} log lines were dropped\n`);
  else if (item.kind === "event") {
    io.out(`${paint(visible(item.time), "dim", io.color)}  ${visible(eventText(item))}\n`);
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

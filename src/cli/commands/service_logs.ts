/**
 * `service logs`: prints the logs of services, and goes on with new lines.
 *
 * @module
 */
import type { Command } from "../command_line/command.ts";
import { HarnessError } from "../../errors.ts";
import { isGlob } from "../../util/glob.ts";
import { visible } from "../../util/terminal_text.ts";
import { MAX_LOG_TAIL_LINES } from "../../model/limits.ts";
import { CLIENT_FLAGS, openSession, type Session } from "../session/connect.ts";
import { addHandler, type Context, type Io } from "../context.ts";
import {
  addFlags,
  booleanFlag,
  type FlagTable,
  presentFields,
  readFlags,
  valueFlag,
} from "../flags/flags.ts";
import { duration, integer } from "../flags/values.ts";
import { note } from "../output/notes.ts";
import { type Color, paint, printJson } from "../output/table.ts";
import { padText, textWidth } from "../output/text_layout.ts";

const DEFAULT_LINES = 50;
/** Colours that tell services apart. */
const NAME_COLORS: readonly Color[] = ["cyan", "yellow", "green", "magenta", "blue"];

const LOG_FLAGS = {
  lines: valueFlag<number | null>("n", {
    short: "n",
    help: "lines of the past at most",
    fallback: null,
    shownDefault: `${DEFAULT_LINES}, all with --since`,
  }, integer(0, MAX_LOG_TAIL_LINES)),
  since: valueFlag<string | null>("time", {
    help: "only what was written since: 10m, 2h, or a time such as 2026-11-23T12:00:00Z",
    fallback: null,
  }, pastTime),
  follow: booleanFlag({ short: "f", help: "go on with new lines until Ctrl-C" }),
} satisfies FlagTable;

/** Declares the command. */
export function declareLogs(command: Command, context: Context): void {
  addFlags(command, LOG_FLAGS);
  // What earlier versions called it.
  command.option("--tail <n>", "", { hidden: true });
  addFlags(command, CLIENT_FLAGS, "Server:");
  addHandler(context, command, (given, names) => showLogs(context, given as GivenFlags, names));
}

type GivenFlags = Record<string, unknown>;

async function showLogs(context: Context, given: GivenFlags, names: unknown): Promise<void> {
  const { io } = context;
  const { lines = given["tail"] } = given;
  const flags = readFlags(LOG_FLAGS, { ...given, lines }, io);
  await using session = await openSession(context, given, { follows: flags.follow });
  const ids = await instancesOf(session, [names].flat().map(String));
  const print = linePrinter(io, ids, session.flags.json);
  const past = async () => {
    const tail = flags.lines ?? (flags.since === null ? DEFAULT_LINES : null);
    const params = presentFields({ tail, since: flags.since });
    for (const name of ids) {
      const data = await session.call("service_logs", { name, ...params });
      for (const line of data.lines) print(name, line);
    }
  };
  if (!flags.follow) return await past();
  const signal = AbortSignal.any([io.interrupted, io.outputClosed]);
  // Subscribed first, so that no line is lost between the past and the present.
  const stream = session.client.events({ events: ["service_log"], services: ids, signal });
  await stream.ready;
  await past();
  for await (const item of stream) {
    if (item.kind === "event" && item.event === "service_log") print(item.data.id, item.data.line);
    if (item.kind === "dropped") {
      note(io, `${item.count} lines were dropped: the log is too fast\n`);
    }
  }
  io.interrupted.throwIfAborted();
}

/** The instances that `names` name: by id, by service name, or by glob. */
async function instancesOf(session: Session, names: readonly string[]): Promise<string[]> {
  const ids = new Set<string>();
  for (const name of names) {
    const data = await session.call("list_services", { name });
    const found = Array.isArray(data) ? data : data.services;
    if (found.length === 0) {
      if (isGlob(name)) {
        throw new HarnessError(
          "not_found",
          `Cannot find a service that matches "${name}": none is registered`,
          { details: { reason: "service_unknown", name } },
        );
      }
      // The server knows how to say that there is none.
      await session.call("get_service", { name });
    }
    for (const { id } of found) ids.add(id);
  }
  return [...ids];
}

/** Prints a line as it is; with the instance before it where there are several. */
function linePrinter(
  io: Io,
  ids: readonly string[],
  json: boolean,
): (id: string, line: string) => void {
  if (json) return (id, line) => printJson(io, { id, line });
  const width = Math.max(...ids.map((id) => textWidth(visible(id))));
  const prefix = (id: string) => {
    if (ids.length === 1) return "";
    const color = NAME_COLORS[ids.indexOf(id) % NAME_COLORS.length];
    return `${paint(padText(visible(id), width), color, io.color)} | `;
  };
  // A pipe or a file gets the bytes of the service unchanged.
  return io.outIsTerminal
    ? (id, line) => io.out(`${prefix(id)}${visible(line, { keep: "\t" })}\n`)
    : (id, line) => {
      if (ids.length > 1) io.out(prefix(id));
      io.raw(`${line}\n`);
    };
}

/** A time of the past: RFC 3339, or how long ago. */
function pastTime(text: string): string {
  const isTime = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/i.test(text);
  const at = isTime ? Date.parse(text.replace(" ", "T")) : NaN;
  if (!Number.isNaN(at)) return new Date(at).toISOString();
  try {
    const [, days] = /^(\d+)d$/.exec(text) ?? [];
    const ms = duration(days === undefined ? text : `${24 * Number(days)}h`);
    return new Date(Date.now() - ms).toISOString();
  } catch {
    throw new Error("must be how long ago, such as 10m, 2h or 3d, or a time with its zone");
  }
}

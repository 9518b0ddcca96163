/**
 * Logs of the server: one line each on stderr, as text or JSON, without secrets.
 *
 * @module
 */
import { type LogLevel, type LogRecord, setLogSink } from "../util/log.ts";
import { HIDDEN, redactor } from "../util/redact.ts";
import type { LOG_FORMATS, LOG_LEVELS } from "./flags/serve_flags.ts";
import type { Io } from "./context.ts";
import { jsonText, visible } from "../util/terminal_text.ts";

/** Options for {@linkcode configureLogging}. */
export interface LoggingOptions {
  /** Least severe level that is shown. */
  level: (typeof LOG_LEVELS)[number];
  /** Form of a line. */
  format: (typeof LOG_FORMATS)[number];
  /** Texts that must never be shown: tokens and the like. */
  secrets?: readonly string[];
}

/** The least severe first. */
const LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error"];

/** Property names whose values are secrets, wherever they appear. */
const SECRET_NAME =
  /(?:^|[_-])(?:token|secrets?|password|passphrase|authorization|private_?key)(?:[_-]|$)/i;

/** Sends what the library logs to stderr. */
export function configureLogging(io: Io, { level, format, secrets = [] }: LoggingOptions): void {
  // Under journald a text line needs no time of its own.
  const withTime = io.env("JOURNAL_STREAM") === undefined;
  const hide = redactor(secrets);
  const shown = LEVELS.slice(LEVELS.indexOf(level));
  setLogSink((record) => {
    if (!shown.includes(record.level)) return;
    const line = format === "json" ? jsonLine(record) : textLine(record, withTime);
    io.err(`${hide(line)}\n`);
  });
}

/** A record as a line of JSON: time, level, component, msg, then its properties. */
export function jsonLine(record: LogRecord): string {
  return jsonText({
    time: new Date(record.timestamp).toISOString(),
    level: record.level,
    component: record.category.slice(1).join("."),
    msg: messageText(record),
    ...plain(record.properties),
  });
}

/** A record as a line of text. */
export function textLine(record: LogRecord, withTime: boolean): string {
  const time = withTime ? `${new Date(record.timestamp).toISOString()} ` : "";
  const level = (record.level === "warning" ? "WARN" : record.level.toUpperCase()).padEnd(5);
  const inMessage = (key: string) => String(record.rawMessage).includes(`{${key}}`);
  const properties = Object.entries(plain(record.properties))
    .filter(([key]) => !inMessage(key))
    .map(([key, value]) => ` ${key}=${typeof value === "string" ? quoted(value) : json(value)}`)
    .join("");
  const component = record.category.slice(1).join(".");
  return `${time}${level} ${component}: ${escapeControl(messageText(record))}${properties}`;
}

function messageText(record: LogRecord): string {
  return record.message.map((part, index) => {
    if (index % 2 === 0) return String(part);
    return typeof part === "string" ? part : json(toPlain(part));
  }).join("");
}

/** Properties as JSON values: errors become their text, secrets are hidden. */
function plain(properties: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties).map((
      [key, value],
    ) => [key, SECRET_NAME.test(key) ? HIDDEN : toPlain(value)]),
  );
}

function toPlain(value: unknown): unknown {
  if (value instanceof Error) {
    const cause = value.cause === undefined ? {} : { cause: toPlain(value.cause) };
    return { name: value.name, message: value.message, stack: value.stack, ...cause };
  }
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value === "object" && value !== null) return plain({ ...value });
  return typeof value === "bigint" ? String(value) : value;
}

function json(value: unknown): string {
  return value === undefined ? "undefined" : jsonText(value);
}

function quoted(value: string): string {
  return /^[\w@./:+-]+$/.test(value) ? value : jsonText(value);
}

/** A log line is one line: what others wrote must not forge another. */
function escapeControl(text: string): string {
  return visible(text.replaceAll("\n", "\\n"));
}

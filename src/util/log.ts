/**
 * What the code logs. An application gets it through LogTape, which it configures; our own program takes the lines
 * itself, so that it need not load LogTape: that would take a twelfth of a server's start.
 *
 * @module
 */

/** How severe a line is. */
export type LogLevel = "debug" | "info" | "warning" | "error";

/** A line, in the form that LogTape has. */
export interface LogRecord {
  /** Who says it, from the whole to the part. */
  readonly category: readonly string[];
  /** How severe it is. */
  readonly level: LogLevel;
  /** Texts and values in turn, beginning and ending with a text. */
  readonly message: readonly unknown[];
  /** The message with the names of its values in braces. */
  readonly rawMessage: string;
  /** When it was said, in milliseconds since 1970. */
  readonly timestamp: number;
  /** The values, those that the message does not name too. */
  readonly properties: Record<string, unknown>;
}

/** Receives each line. */
export type LogSink = (record: LogRecord) => void;

type Log = (message: string, properties?: Record<string, unknown>) => void;

/** Logs under one category. A value's place in the message is its name in braces. */
export interface Logger {
  /** For those who look for a fault. */
  readonly debug: Log;
  /** What happened as it should. */
  readonly info: Log;
  /** What somebody should look at. */
  readonly warn: Log;
  /** What failed. */
  readonly error: Log;
}

let sink: LogSink = waitForLogTape;
/** Said before LogTape was loaded. */
const waiting: LogRecord[] = [];

/** The logger of a category. */
export function getLogger(category: readonly string[]): Logger {
  const logs = (level: LogLevel): Log => (rawMessage, properties = {}) => {
    const message = partsOf(rawMessage, properties);
    pass({ category, level, message, rawMessage, timestamp: Date.now(), properties });
  };
  return { debug: logs("debug"), info: logs("info"), warn: logs("warning"), error: logs("error") };
}

/** Sends all lines to `next` instead, from now on. */
export function setLogSink(next: LogSink): void {
  sink = next;
  waiting.splice(0).forEach(pass);
}

function pass(record: LogRecord): void {
  try {
    sink(record);
  } catch {
    // A line that cannot be written must not stop what it is about.
  }
}

function partsOf(rawMessage: string, properties: Record<string, unknown>): unknown[] {
  return rawMessage.split(/\{(\w+)\}/).map((part, i) => i % 2 === 0 ? part : properties[part]);
}

function waitForLogTape(record: LogRecord): void {
  if (waiting.push(record) === 1) void toLogTape();
}

/** Gives LogTape what waited, in order, and then each line at once. */
async function toLogTape(): Promise<void> {
  const logTape = await import("@logtape/logtape").catch(() => null);
  const emit: LogSink = ({ category, ...record }) => logTape?.getLogger(category).emit(record);
  if (sink === waitForLogTape) sink = emit;
  waiting.splice(0).forEach(pass);
}

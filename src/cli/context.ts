/**
 * What a command gets: the process around it (output, terminal, environment, interruption) and its result.
 *
 * Commands write through {@linkcode Io} and never exit, so a test can run any of them in its own process.
 *
 * @module
 */
import type { Command, TypedLine } from "./command_line/command.ts";
import { HarnessError, messageOf } from "../errors.ts";
import { hasErrorCode } from "../util/error_code.ts";
import { EXIT } from "./exit_codes.ts";
import { wrapLines } from "./output/text_layout.ts";
import { Screen, type TerminalSize } from "./output/screen.ts";
import { drawn } from "./output/styles.ts";
import {
  columnsOn,
  DEFAULT_SIZE,
  type Output,
  STDERR,
  STDOUT,
  type System,
  writeAll,
} from "./system/system.ts";

/** Why a command was interrupted. */
export class Interrupted extends Error {
  /** The class name, for logs. */
  override readonly name = "Interrupted";
  /** The signal. */
  readonly signalName: "SIGINT" | "SIGTERM";

  /** Keeps the signal. */
  constructor(signalName: "SIGINT" | "SIGTERM") {
    super(`Interrupted by ${signalName}`);
    this.signalName = signalName;
  }
}

/** The surroundings of a command. */
export interface Io {
  /** Writes data: end it with a newline. Control characters are written out, but for tabs, newlines and styles. */
  out(text: string): void;
  /** Writes progress, hints and errors, in the same way. */
  err(text: string): void;
  /** Writes data of others as it is into a file or a pipe; on a terminal the same as {@linkcode Io.out}. */
  raw(text: string): void;
  /** Everything on standard input. */
  readStdin(): Promise<Uint8Array>;
  /** The value of an environment variable, or `undefined` where it is not set or empty. */
  env(name: string): string | undefined;
  /** Fires with an {@linkcode Interrupted} at the first SIGINT or SIGTERM. */
  readonly interrupted: AbortSignal;
  /** Fires at the next SIGINT or SIGTERM after {@linkcode Io.interrupted}, which otherwise ends the program at once. */
  nextInterrupt(): AbortSignal;
  /** Fires when the reader of our output has gone (`… | head`): a stream can end. */
  readonly outputClosed: AbortSignal;
  /** Whether stdout is a terminal. */
  readonly outIsTerminal: boolean;
  /** Lines that are redrawn in place on the terminal of stderr; `null` where nothing can be redrawn. */
  readonly screen: Screen | null;
  /** Whether stdout may be coloured. */
  readonly color: boolean;
  /** Whether stderr may be coloured. */
  readonly errColor: boolean;
  /** Whether the terminal shows more than ASCII. */
  readonly unicode: boolean;
  /** Width of the terminal in characters. */
  readonly columns: number;
  /** The size of the terminal behind stdout now, or `null` where nothing can be redrawn. */
  size(): TerminalSize | null;
  /** `--quiet`: only results that were asked for, and errors. */
  readonly quiet: boolean;
  /** `--verbose`: also what is done to get there. */
  readonly verbose: boolean;
  /** Width at which text on stderr is wrapped; `null` where it is no terminal. */
  readonly errColumns: number | null;
}

/** SIGINT and SIGTERM, one after the other. */
export type Interruptions = Pick<Io, "interrupted" | "nextInterrupt">;

/** The {@linkcode Io} of this process. */
export function systemIo(system: System, interruptions: Interruptions): Io {
  const env = (name: string) => system.env(name) || undefined;
  const terminalSize = () => system.terminalSize();
  const tell = (text: string) => tellOn(system, text);
  const width = (isTerminal: boolean) => columnsOn(system, isTerminal);
  const outputClosed = new AbortController();
  const dumb = env("TERM") === "dumb" || env("CI") !== undefined;
  const outIsTerminal = system.isTerminal(STDOUT);
  const forced = env("FORCE_COLOR");
  const plain = env("NO_COLOR") !== undefined || forced === "0" || forced === "false";
  const errIsTerminal = system.isTerminal(STDERR);
  const mayColor = (isTerminal: boolean) =>
    !plain && (forced !== undefined || (isTerminal && !dumb));
  // Some pseudo terminals report 0 columns: nothing can be redrawn there.
  const canRedraw = errIsTerminal && !dumb && terminalSize() !== null;
  const screen = canRedraw ? new Screen(tell, () => terminalSize() ?? DEFAULT_SIZE) : null;
  const print = (text: string) => write({ system, to: STDOUT }, text, () => outputClosed.abort());
  /** On one terminal, what is printed stands above what is redrawn. */
  const above = (isTerminal: boolean, text: string, write: () => void) =>
    screen === null || !isTerminal || text === "" ? write() : screen.above(write);
  return {
    out: (text) => above(outIsTerminal, text, () => print(drawn(text))),
    err: (text) => {
      const fitted = errIsTerminal ? wrapLines(text, width(true)) : text;
      above(true, text, () => tell(fitted));
    },
    raw: (text) => above(outIsTerminal, text, () => print(outIsTerminal ? drawn(text) : text)),
    readStdin: () => system.readStdin(),
    env,
    ...interruptions,
    outputClosed: outputClosed.signal,
    outIsTerminal,
    screen,
    color: mayColor(outIsTerminal),
    errColor: mayColor(errIsTerminal),
    unicode: isUnicode(env),
    columns: width(outIsTerminal),
    size: () => outIsTerminal && !dumb ? terminalSize() : null,
    quiet: false,
    verbose: false,
    errColumns: errIsTerminal ? width(true) : null,
  };
}

/** Writes all of `text`; calls `onClosed` when the reader has gone instead of failing. */
function write(output: Output, text: string, onClosed: () => void): void {
  try {
    writeAll(output, text);
  } catch (error) {
    if (hasErrorCode(error, "EPIPE") || isGone(output, error)) return onClosed();
    throw new HarnessError(
      "storage_unavailable",
      `Cannot write the output: ${messageOf(error)}; make room, or send it elsewhere`,
      { cause: error },
    );
  }
}

/** Whether an output was a terminal that was closed. */
function isGone({ system, to }: Output, error: unknown): boolean {
  return hasErrorCode(error, "EIO") && (system.isTerminal(to) || system.isTerminal(STDERR));
}

/** Writes to stderr, best effort. */
export function tellOn(system: System, text: string): void {
  try {
    write({ system, to: STDERR }, drawn(text), () => {});
  } catch {
    // A command that works must not fail because its progress cannot be written.
  }
}

/** Whether the locale is UTF-8; most terminals are where none is set. */
function isUnicode(env: (name: string) => string | undefined): boolean {
  const locale = env("LC_ALL") ?? env("LC_CTYPE") ?? env("LANG");
  return locale === undefined || /utf-?8/i.test(locale);
}

/** What every command gets. */
export interface Context {
  /** The process around it, with what `--quiet` and `--verbose` ask for. */
  io: Io;
  /** Set by the command that ran; 0 until then. */
  exitCode: number;
  /** Whether errors are shown with their stack. */
  debug: boolean;
  /** Whether the command was given `--json`: its errors then are JSON too. */
  json: boolean;
}

/** What a command returns: its exit code, or nothing for 0. */
export type CommandResult = Promise<number | void>;

/** Makes `run` what `command` does: with its flags, then its arguments. */
export function addHandler<Flags>(
  context: Context,
  command: Command,
  run: (flags: Flags, ...args: string[]) => CommandResult,
): void {
  addLineHandler(
    context,
    command,
    ({ flags, args }) => run(flags as Flags, ...args as string[]),
  );
}

/** The same for a command whose words mean more than its arguments say. */
export function addLineHandler(
  context: Context,
  command: Command,
  run: (line: TypedLine) => CommandResult,
): void {
  command.action = async (line) => {
    context.json = line.flags["json"] === true;
    context.exitCode = await run(line) ?? 0;
  };
}

/** The exit code of an interrupted command, or `null` where it was not interrupted. */
export function interruptedExitCode(io: Io): number | null {
  if (!io.interrupted.aborted) return null;
  const reason = io.interrupted.reason;
  return reason instanceof Interrupted && reason.signalName === "SIGTERM"
    ? EXIT.terminated
    : EXIT.interrupted;
}

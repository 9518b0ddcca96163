/**
 * How an error reaches the user: one line, and the exit code.
 *
 * @module
 */
import { CommanderError } from "commander";
import { HarnessError, messageOf } from "../errors.ts";
import { SERVER_NAME } from "../version.ts";
import { EXIT, exitCodeOf } from "./exit_codes.ts";
import { Interrupted, type Io } from "./io.ts";

/** Prints what went wrong to stderr and returns the exit code. */
export function report(io: Io, error: unknown, options: { debug: boolean }): number {
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
  const interrupted = interruptedExitCode(io);
  if (interrupted !== null && isAbort(error)) return interrupted;
  // `harness-ws-server service` alone printed the help of that group: nothing to add.
  if (error instanceof CommanderError && error.code === "commander.help") return EXIT.usage;
  io.err(`${SERVER_NAME}: ${oneLine(describe(error))}\n`);
  if (options.debug) io.err(`${stacks(error)}\n`);
  return error instanceof CommanderError ? EXIT.usage : exitCodeOf(error);
}

/** The exit code of an interrupted command, or `null` where it was not interrupted. */
export function interruptedExitCode(io: Io): number | null {
  if (!io.interrupted.aborted) return null;
  const reason = io.interrupted.reason;
  return reason instanceof Interrupted && reason.signalName === "SIGTERM"
    ? EXIT.terminated
    : EXIT.interrupted;
}

function isAbort(error: unknown): boolean {
  return error instanceof Interrupted ||
    (error instanceof Error && error.name === "AbortError") ||
    (error instanceof HarnessError && error.code === "cancelled");
}

function describe(error: unknown): string {
  if (error instanceof CommanderError) {
    const text = error.message.replace(/^error: /, "")
      .replace(/\s*\(Did you mean (.+?)\?\)$/s, ": did you mean $1?");
    return `${text}${/[.?]$/.test(text) ? "" : ";"} --help shows what there is [invalid_params]`;
  }
  if (error instanceof HarnessError) return `${error.message} [${error.code}]`;
  return `Cannot go on: ${messageOf(error)} (run again with --debug for the place) [internal]`;
}

/** Control characters of a message must not reach the terminal, and a message is one line. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex -- finding control characters is the purpose
  return text.replace(/\s*[\r\n]+\s*/g, " ").replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
}

function stacks(error: unknown): string {
  const lines: string[] = [];
  for (let e = error; e instanceof Error && lines.length < 8; e = e.cause) {
    lines.push(`${lines.length === 0 ? "" : "caused by: "}${e.stack ?? e.message}`);
  }
  return lines.join("\n");
}

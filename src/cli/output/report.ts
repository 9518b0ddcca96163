/**
 * Prints errors: one line with the code (mistakes in a file: a line for each), a hint below, and the exit code.
 *
 * @module
 */
import { HarnessError, isRetryable, messageWithPath } from "../../errors.ts";
import { hasFileIssues } from "../../util/file_issues.ts";
import { jsonText, visible } from "../../util/terminal_text.ts";
import { SERVER_NAME } from "../../version.ts";
import { exitCodeOf } from "../exit_codes.ts";
import { Interrupted, interruptedExitCode, type Io } from "../context.ts";
import { hintFor } from "./hints.ts";

/**
 * Prints an error to stderr, with `--json` as JSON on stdout too, and returns the exit code.
 */
export function report(
  io: Io,
  error: unknown,
  options: { debug: boolean; json: boolean },
): number {
  const interrupted = interruptedExitCode(io);
  if (interrupted !== null && isAbort(error)) return interrupted;
  const shownError = asShown(error);
  const { code, details } = shownError;
  const [message = "", ...mistakes] = hasFileIssues(details)
    ? linesOf(shownError.message)
    : [oneLine(shownError.message)];
  io.err(`${SERVER_NAME}: ${message} [${code}]\n`);
  for (const mistake of mistakes) io.err(`  ${mistake}\n`);
  const hint = hintFor(shownError);
  if (hint !== null) io.err(`  hint: ${oneLine(hint)}\n`);
  if (options.json) {
    // As the protocol has it: a program reads both with the same code.
    const whole = [message, ...mistakes].join("\n");
    const shown = { code, message: whole, retryable: isRetryable(code) };
    printToo(io, { error: details === undefined ? shown : { ...shown, details } });
  }
  if (options.debug) io.err(`${stacks(error)}\n`);
  return exitCodeOf(error);
}

function isAbort(error: unknown): boolean {
  return error instanceof Interrupted ||
    (error instanceof Error && error.name === "AbortError") ||
    (error instanceof HarnessError && error.code === "cancelled");
}

/** Best effort: often the error is that stdout cannot be written. */
function printToo(io: Io, value: unknown): void {
  try {
    io.out(`${jsonText(value)}\n`);
  } catch {
    // The error is on stderr.
  }
}

function asShown(error: unknown): HarnessError {
  if (error instanceof HarnessError) return error;
  return new HarnessError(
    "internal",
    `Cannot go on: ${messageWithPath(error)} (run again with --debug for the stack trace)`,
  );
}

/** The lines of an error about a file: the mistakes in it have one each. */
function linesOf(text: string): string[] {
  return text.split("\n").map((line) => visible(line));
}

/** Control characters of a message must not reach the terminal, and a message is one line. */
function oneLine(text: string): string {
  if (!/[\r\n]/.test(text)) return visible(text);
  return visible(text.split(/[\r\n]/).map((line) => line.trim()).filter(Boolean).join(" "));
}

function stacks(error: unknown): string {
  const lines: string[] = [];
  for (let e = error; e instanceof Error && lines.length < 8; e = e.cause) {
    lines.push(`${lines.length === 0 ? "" : "caused by: "}${e.stack ?? e.message}`);
  }
  return lines.join("\n");
}

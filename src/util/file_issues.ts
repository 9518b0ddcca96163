/**
 * One error for everything that is wrong in a text file, with a line of text for each mistake.
 *
 * @module
 */
import { type ErrorCode, HarnessError } from "../errors.ts";
import { visible } from "./terminal_text.ts";

/** Mistakes that are listed for one file: the first ones usually explain the rest. */
const MAX_LISTED_ISSUES = 50;
/** Length of a message in a line. */
const MAX_ISSUE_LENGTH = 500;
/** Characters of a line of the file that are shown around a mistake. */
const MAX_EXCERPT_LENGTH = 80;

/** A mistake in a file. */
export interface FileIssue {
  /** Keys from the root to the value, with dots between them; empty where there is none. */
  path: string;
  /** Line, from 1. */
  line: number;
  /** Column, from 1. */
  column: number;
  /** The problem and the remedy. */
  message: string;
  /** The line of the file and a mark below the column, where the text itself cannot be read. */
  excerpt?: string;
}

/** A file with mistakes. */
export interface FaultyFile {
  /** The code of the error. */
  readonly code: ErrorCode;
  /** What cannot be done with the file: `Cannot read the manifest`. */
  readonly failure: string;
  /** Its name. */
  readonly file: string;
  /** `details.reason`. */
  readonly reason: string;
}

/**
 * The error for a file with mistakes, sorted by their place.
 *
 * Its message has a line for each mistake, `file:line:column: message`; `details.issues` has the same for programs.
 */
export function fileError(
  { code, failure, file, reason }: FaultyFile,
  issues: readonly FileIssue[],
  cause?: unknown,
): HarnessError {
  const sorted = issues.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const listed = sorted.slice(0, MAX_LISTED_ISSUES);
  const lines = listed.map((issue) => issueText(file, issue));
  if (sorted.length > listed.length) lines.push(`… and ${sorted.length - listed.length} more`);
  const head = sorted.length === 1 ? `${failure}: ` : `${failure}: ${sorted.length} mistakes\n`;
  return new HarnessError(code, head + lines.join("\n"), {
    details: { reason, file, issues: listed.map(({ excerpt: _, ...issue }) => issue) },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** One error for several files that cannot be used, with the code of the first one. */
export function filesError(errors: readonly [HarnessError, ...HarnessError[]]): HarnessError {
  const [first] = errors;
  if (errors.length === 1) return first;
  const lines = errors.map(({ message, details }) =>
    hasFileIssues(details) ? message : visible(message)
  );
  return new HarnessError(
    first.code,
    [`Cannot use ${errors.length} files`, ...lines].join("\n"),
    {
      details: {
        reason: "several_files",
        errors: errors.map(({ code, message, details }) => ({
          code,
          message,
          ...(details === undefined ? {} : { details }),
        })),
      },
      cause: first,
    },
  );
}

/** Whether a message is that of a {@linkcode fileError} or {@linkcode filesError}, which has several lines. */
export function hasFileIssues(details: Readonly<Record<string, unknown>> | undefined): boolean {
  if (details?.["reason"] === "several_files") return true;
  const issues = details?.["issues"];
  return typeof details?.["file"] === "string" && Array.isArray(issues) &&
    issues.some((issue: { line?: unknown } | null) => typeof issue?.line === "number");
}

/** The line of a text at `line`, and a mark below `column`; empty where the line is. */
export function excerptOf(
  text: string,
  { line, column }: { line: number; column: number },
): string {
  const whole = (text.split("\n")[line - 1] ?? "").replace(/\r$/, "");
  if (whole.trim() === "") return "";
  const start = Math.max(0, column - 1 - MAX_EXCERPT_LENGTH / 2);
  const plain = (part: string) => visible(part.replaceAll("\t", " "));
  const before = plain(whole.slice(start, column - 1));
  const after = plain(whole.slice(column - 1, start + MAX_EXCERPT_LENGTH));
  return `${before}${after}\n${" ".repeat(before.length)}^`;
}

function issueText(file: string, { line, column, message, excerpt }: FileIssue): string {
  const text = visible(message.length > MAX_ISSUE_LENGTH ? cut(message) : message);
  const shown = excerpt === undefined || excerpt === ""
    ? ""
    : `\n${excerpt}`.replaceAll("\n", "\n    ");
  return `${visible(file)}:${line}:${column}: ${text}${shown}`;
}

function cut(message: string): string {
  return `${message.slice(0, MAX_ISSUE_LENGTH)}…`;
}

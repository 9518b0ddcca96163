/**
 * What the program needs of its process, as each runtime has it.
 *
 * Deno compiles its `node:` modules at each start: `node:process` takes 14 ms, `node:fs` 12. There the program works
 * without them, until a command needs one for something else.
 *
 * @module
 */
import { hasErrorCode } from "../../util/error_code.ts";
import type { TerminalSize } from "../output/screen.ts";

/** Size of a terminal that does not know its own. */
export const DEFAULT_SIZE: TerminalSize = { columns: 80, rows: 24 };
/** Wide enough not to cut anything in a file or a pipe. */
const UNLIMITED_COLUMNS = 1000;
/** How long to wait for a slow reader of a pipe that was switched to not blocking, before the next attempt. */
const FULL_PIPE_PAUSE_MS = 5;

/** What a pipe takes whole or not at all (PIPE_BUF): how much of more it took before it was full, Deno does not say. */
const PIPE_BYTES = 4096;

/** Number of standard output. */
export const STDOUT = 1;
/** Number of standard error. */
export const STDERR = 2;

/** The process of the program. */
export interface System {
  /** The words after the program's name. */
  readonly args: readonly string[];
  /** The value of an environment variable. */
  env(name: string): string | undefined;
  /** Writes some of `bytes` to {@linkcode STDOUT} or {@linkcode STDERR}; returns how many. */
  writeSome(to: number, bytes: Uint8Array): number;
  /** Whether one of them is a terminal. */
  isTerminal(output: number): boolean;
  /** The size that the terminal behind one of them reports; some pseudo terminals have none. */
  terminalSize(): TerminalSize | null;
  /** Everything on standard input. */
  readStdin(): Promise<Uint8Array>;
  /** Calls `listener` at each signal of a name. */
  onSignal(name: "SIGINT" | "SIGTERM", listener: () => void): void;
  /** Ends the process. */
  exit(code: number): never;
}

/** An output of the process. */
export interface Output {
  /** The process. */
  readonly system: System;
  /** {@linkcode STDOUT} or {@linkcode STDERR}. */
  readonly to: number;
}

/** Writes all of `text`, also to a pipe that is full for a moment. */
export function writeAll({ system, to }: Output, text: string): void {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(system.writeSome(to, bytes.subarray(0, PIPE_BYTES)));
    } catch (error) {
      if (!hasErrorCode(error, "EAGAIN")) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_PAUSE_MS);
    }
  }
}

/** The width to print at: `COLUMNS`, or that of the terminal. */
export function columnsOn(system: System, isTerminal: boolean): number {
  const wanted = Number(system.env("COLUMNS"));
  if (Number.isInteger(wanted) && wanted > 0) return wanted;
  if (!isTerminal) return UNLIMITED_COLUMNS;
  return (system.terminalSize() ?? DEFAULT_SIZE).columns;
}

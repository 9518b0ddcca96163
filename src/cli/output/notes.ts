/**
 * What is printed besides results and errors: notes, confirmations, and what `--verbose` shows.
 *
 * @module
 */
import { visible } from "../../util/terminal_text.ts";
import type { Io } from "../context.ts";
import { printLine } from "./table.ts";

/** Writes progress or a hint to stderr, as it is; nothing with `--quiet`. */
export function note(io: Io, text: string): void {
  if (!io.quiet) io.err(text);
}

/** Prints that something was done, for whoever has not asked for more than that; nothing with `--quiet`. */
export function printDone(io: Io, text: string): void {
  if (!io.quiet) printLine(io, text);
}

/** Writes a line on what is being done to stderr, with the time since the start; only with `--verbose`. */
export function trace(io: Io, text: string): void {
  if (io.verbose) io.err(`[${(performance.now() / 1000).toFixed(3)} s] ${visible(text)}\n`);
}

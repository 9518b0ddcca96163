/**
 * What every command gets, and how it is put into the program.
 *
 * @module
 */
import type { Command } from "commander";
import type { Io } from "./io.ts";

/** What every command gets. */
export interface Context {
  /** The process around it. */
  readonly io: Io;
  /** Set by the command that ran; 0 until then. */
  exitCode: number;
  /** Whether errors are shown with their stack. */
  debug: boolean;
  /** Whether the command was given `--json`: its errors then are JSON too. */
  json: boolean;
}

/** What a command returns: its exit code, or nothing for 0. */
export type CommandResult = Promise<number | void>;

/** Makes `run` what `command` does: its positional arguments, then its flags. */
export function runs<Flags>(
  context: Context,
  command: Command,
  run: (flags: Flags, ...args: string[]) => CommandResult,
): Command {
  return command.action(async (...all: unknown[]) => {
    const args = all.slice(0, -2) as string[];
    context.json = command.opts()["json"] === true;
    context.exitCode = await run(command.opts() as Flags, ...args) ?? 0;
  });
}

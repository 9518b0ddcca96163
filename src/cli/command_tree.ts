/**
 * The commands of {@linkcode COMMANDS} as commander has them.
 *
 * @module
 */
import type { Command } from "commander";
import { COMMANDS, type Declare, type Entry } from "./command_table.ts";
import type { Context } from "./context.ts";
import { addFlags, addGlobalFlags, OUTPUT_FLAGS } from "./flags/flags.ts";

/** How the rest of a command is loaded, until it is. */
const LOADERS = new WeakMap<Command, () => Promise<Declare>>();

/**
 * Whether `words`, what was typed, are about a command outside of groups: then the commands of groups are not made,
 * which takes longer than to run many a command.
 */
export function needsNoGroup(words: readonly string[]): boolean {
  const first = words.find((word) => !word.startsWith("-"));
  return COMMANDS.some(({ name, commands }) => name === first && commands === undefined);
}

/** What {@linkcode addCommands} adds. */
export interface CommandChoice {
  /** Whether the commands of groups are added too. */
  readonly groups: boolean;
}

/** Adds the commands, without their flags; {@linkcode loadCommand} adds those. */
export function addCommands(
  parent: Command,
  choice: CommandChoice,
  entries: readonly Entry[] = COMMANDS,
): void {
  for (const { name, about, args = [], alias, isDefault = false, load, commands } of entries) {
    const command = parent.command(name, { isDefault }).description(about);
    for (const [argument, text] of args) command.argument(argument, text);
    if (alias !== undefined) command.alias(alias);
    if (load !== undefined) LOADERS.set(command, load);
    if (commands !== undefined && choice.groups) addCommands(command, choice, commands);
  }
}

/** Loads the rest of a command, once; a group has none. */
export async function loadCommand(command: Command, context: Context): Promise<void> {
  const load = LOADERS.get(command);
  if (load === undefined) return;
  LOADERS.delete(command);
  (await load())(command, context);
  addGlobalFlags(command);
  addFlags(command, OUTPUT_FLAGS, "Output:");
}

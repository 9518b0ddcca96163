/**
 * The commands of {@linkcode COMMANDS} as they are parsed.
 *
 * @module
 */
import { Command } from "./command_line/command.ts";
import { COMMANDS, type Declare, type Entry } from "./command_table.ts";
import type { Context } from "./context.ts";
import { addFlags, addGlobalFlags, OUTPUT_FLAGS } from "./flags/flags.ts";

/** How the rest of a command is loaded, until it is. */
const LOADERS = new WeakMap<Command, () => Promise<Declare>>();

/** Adds the commands, without their flags; {@linkcode loadCommand} adds those. A group has its few at once. */
export function addCommands(parent: Command, entries: readonly Entry[] = COMMANDS): void {
  for (const entry of entries) {
    const command = new Command(entry, parent);
    if (entry.load !== undefined) LOADERS.set(command, entry.load);
    if (entry.commands === undefined) continue;
    addGlobalFlags(command);
    // The flags of every command: `service -q stop web`.
    addFlags(command, OUTPUT_FLAGS, { hidden: true });
    addCommands(command, entry.commands);
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

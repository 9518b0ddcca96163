/**
 * The layout of commander's help.
 *
 * @module
 */
import { Help, type HelpConfiguration } from "commander";
import { commandTerm, helpItem, usageLines, wrapHelp } from "./help_text.ts";

/** The layout of commander's help. */
export const HELP_LAYOUT: HelpConfiguration = {
  sortSubcommands: false,
  showGlobalOptions: false,
  commandUsage(command) {
    return usageLines(Help.prototype.commandUsage.call(this, command), this.helpWidth ?? 80);
  },
  // Every command has flags, also while they are not loaded.
  subcommandTerm: (command) =>
    commandTerm(
      [command.name(), ...command.aliases().slice(0, 1)].join("|"),
      command.registeredArguments.map((argument) => {
        const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
        return argument.required ? `<${name}>` : `[${name}]`;
      }),
    ),
  boxWrap: wrapHelp,
  formatItem(term, termWidth, description) {
    return helpItem({ term, description }, termWidth, this.helpWidth ?? 80);
  },
};

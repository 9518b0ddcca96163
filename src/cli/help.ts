/**
 * How help is laid out: like tables, it fits the terminal without cutting anything or breaking a word.
 *
 * @module
 */
import { Help, type HelpConfiguration } from "commander";
import { padText, textWidth, wrapText } from "./output/text_layout.ts";

/** A narrower column of descriptions is hard to read: they move below. */
const NARROWEST_TEXT = 24;

/** The layout of commander's help. */
export const HELP_LAYOUT: HelpConfiguration = {
  sortSubcommands: false,
  showGlobalOptions: false,
  commandUsage(command) {
    const text = Help.prototype.commandUsage.call(this, command);
    const [first = "", ...more] = wrapText(text, (this.helpWidth ?? 80) - "Usage: ".length);
    return [first, ...more.map((line) => `       ${line}`)].join("\n");
  },
  subcommandTerm(command) {
    const term = Help.prototype.subcommandTerm.call(this, command);
    // Every command has flags, also while they are not loaded; `help` has none.
    const isUnsaid = command.options.length === 0 && command.name() !== "help";
    return isUnsaid ? term.replace(/ |$/, " [options]$&") : term;
  },
  boxWrap: (text, width) => text.split("\n").flatMap((line) => wrapText(line, width)).join("\n"),
  formatItem(term, termWidth, description) {
    if (description === "") return `  ${term}`;
    const width = this.helpWidth ?? 80;
    const used = termWidth + 4;
    if (width - used >= NARROWEST_TEXT) {
      const lines = wrapText(description, width - used);
      return `  ${padText(term, termWidth)}  ${lines.join(`\n${" ".repeat(used)}`)}`;
    }
    return [`  ${term}`, ...wrapText(description, width - 6).map((line) => `      ${line}`)]
      .join("\n");
  },
};

/** A heading and command lines below it, each with a comment if there is one. */
export function exampleLines(
  examples: ReadonlyArray<readonly [command: string, comment?: string]>,
  width: number,
): string {
  const column = Math.max(
    ...examples.map(([command, comment]) => comment === undefined ? 0 : command.length),
  );
  const lines = examples.flatMap(([command, comment]) => {
    const whole = comment === undefined ? command : `${padText(command, column)}   ${comment}`;
    if (textWidth(whole) + 2 <= width) return [whole];
    const below = comment === undefined ? [] : [`    ${comment}`];
    return [...continued(command, width - 2), ...below];
  });
  return `\n${examples.length === 1 ? "Example" : "Examples"}:\n` +
    lines.map((line) => `  ${line}`).join("\n");
}

/** A command in lines that a shell reads as one. */
function continued(command: string, width: number): string[] {
  if (textWidth(command) <= width) return [command];
  const lines = wrapText(command, width - 4);
  return lines.map((line, index) =>
    `${index === 0 ? "" : "  "}${line}${index === lines.length - 1 ? "" : " \\"}`
  );
}

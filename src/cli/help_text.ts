/**
 * How help is laid out: like tables, it fits the terminal without cutting anything or breaking a word.
 *
 * @module
 */
import { padText, textWidth, wrapText } from "./output/text_layout.ts";

/** A narrower column of descriptions is hard to read: they move below. */
const NARROWEST_TEXT = 24;
const USAGE = "Usage: ";

type FlagText = readonly [flags: string, about: string];

/** Flags of the program, in the order of its help. */
export const PROGRAM_FLAGS = {
  version: ["-V, --version", "version of the program, protocol and runtime"],
  debug: ["--debug", "show the stack trace of an error (env: HARNESS_DEBUG)"],
  noColor: ["--no-color", "no colour (env: NO_COLOR)"],
  quiet: ["-q, --quiet", "only results that were asked for, and errors"],
  verbose: ["-v, --verbose", "also what is done: connections, requests, times"],
  help: ["-h, --help", "help, without side effects"],
} as const satisfies Readonly<Record<string, FlagText>>;

/** What follows `Usage: `; its further lines begin below its first word. */
function usageLines(text: string, width: number): string {
  return wrapText(text, width - USAGE.length).join(`\n${" ".repeat(USAGE.length)}`);
}

/** A command in a list of commands; `help` alone has no flags. */
export function commandTerm(name: string, args: readonly string[]): string {
  return [name, ...(name === "help" ? [] : ["[options]"]), ...args].join(" ");
}

/** Paragraphs of at most `width` columns. */
function wrapHelp(text: string, width: number): string {
  return text.split("\n").flatMap((line) => wrapText(line, width)).join("\n");
}

/** A flag or a command with what it is. */
export interface HelpItem {
  /** What is typed. */
  readonly term: string;
  /** What it does. */
  readonly description: string;
}

/** An item of a list whose terms take `termWidth` columns. */
function helpItem(
  { term, description }: HelpItem,
  termWidth: number,
  width: number,
): string {
  if (description === "") return `  ${term}`;
  const used = termWidth + 4;
  if (width - used >= NARROWEST_TEXT) {
    const lines = wrapText(description, width - used);
    return `  ${padText(term, termWidth)}  ${lines.join(`\n${" ".repeat(used)}`)}`;
  }
  return [`  ${term}`, ...wrapText(description, width - 6).map((line) => `      ${line}`)]
    .join("\n");
}

/** What lists of commands end with. */
export const HELP_COMMAND: HelpItem = {
  term: commandTerm("help", ["[command]"]),
  description: "help for a command",
};

/** What help is made of. */
export interface HelpParts {
  /** How to type it. */
  readonly usage: string;
  /** What it does. */
  readonly about: string;
  /** Lists with their headings; an empty one is left out. */
  readonly lists: ReadonlyArray<readonly [heading: string, items: readonly HelpItem[]]>;
}

/** Help, but for its examples, `width` columns wide. */
export function helpText({ usage, about, lists }: HelpParts, width: number): string {
  const termWidth = Math.max(...lists.flatMap(([, items]) => items.map(({ term }) => term.length)));
  const shown = lists.filter(([, items]) => items.length > 0).map(([heading, items]) =>
    [heading, ...items.map((item) => helpItem(item, termWidth, width))].join("\n")
  );
  const parts = [`Usage: ${usageLines(usage, width)}`, wrapHelp(about, width), ...shown];
  return `${parts.join("\n\n")}\n`;
}

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

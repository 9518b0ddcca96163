/**
 * The help of a command.
 *
 * @module
 */
import type { Command, Option } from "./command.ts";
import { examplesText } from "../examples.ts";
import { commandTerm, HELP_COMMAND, type HelpItem, helpText, PROGRAM_FLAGS } from "../help_text.ts";

/** What help shows of a flag. */
type ShownOption = Pick<Option, "flags" | "about" | "heading" | "hidden" | "fallback">;

/** The whole help of a command, `width` columns wide. */
export function commandHelp(command: Command, width: number): string {
  const { args, commands } = command;
  const [flags, about] = PROGRAM_FLAGS.help;
  const all: ShownOption[] = [...command.options, { flags, about }];
  const options = new Map<string, HelpItem[]>();
  for (const option of all) {
    const heading = option.heading ?? "Options:";
    const items = options.get(heading) ?? [];
    options.set(heading, items);
    if (option.hidden !== true) items.push({ term: option.flags, description: aboutOf(option) });
  }
  const text = helpText({
    usage: usageOf(command),
    about: command.about,
    lists: [
      ["Arguments:", args.some(({ about }) => about !== "") ? args.map(argumentItem) : []],
      ...options,
      ["Commands:", commands.length === 0 ? [] : [...commands.map(commandItem), HELP_COMMAND]],
    ],
  }, width);
  const path = command.path.split(" ").slice(1).join(" ");
  return `${text}${examplesText(path, width)}\n`;
}

function usageOf(command: Command): string {
  const { parent, alias, args, commands } = command;
  return [
    ...(parent === null ? [] : [parent.path]),
    alias === null ? command.name : `${command.name}|${alias}`,
    "[options]",
    ...(commands.length === 0 ? [] : ["[command]"]),
    ...args.map(({ term }) => term),
  ].join(" ");
}

function aboutOf({ about, fallback }: ShownOption): string {
  return fallback === undefined ? about : `${about} (default: ${JSON.stringify(fallback)})`;
}

function argumentItem({ name, about }: Command["args"][number]): HelpItem {
  return { term: name, description: about };
}

function commandItem({ name, alias, args, about }: Command): HelpItem {
  const names = alias === null ? name : `${name}|${alias}`;
  return { term: commandTerm(names, args.map(({ term }) => term)), description: about };
}

/**
 * Usage errors: what was typed wrong, what was probably meant, and the help to read.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { nearestName } from "../../util/did_you_mean.ts";
import type { Command, Option, TypedLine } from "../command_line/command.ts";
import type { Mistake } from "../command_line/parse.ts";

/** What other programs call our commands. */
const ALSO_CALLED: Readonly<Record<string, string>> = {
  info: "service get",
  inspect: "package inspect",
  list: "services",
  log: "service logs",
  ls: "services",
  ps: "services",
  remove: "service deregister",
  rm: "service deregister",
  run: "serve",
  server: "serve",
  show: "service get",
  status: "services",
  unregister: "service deregister",
  up: "serve",
};

/** What other programs call our flags; offered where the command has the flag. */
const FLAG_ALSO_CALLED: Readonly<Record<string, string>> = {
  "--address": "--listen",
  "--bind": "--listen",
  "--data-dir": "--state-dir",
  "--format": "--json",
  "--key": "--identity",
  "--output": "--json",
  "--password": "--token-file",
  "--port": "--listen",
  "--secret": "--secret-file",
  "--server": "--url",
  "--target": "--host",
  "-i": "--identity",
  "-n": "--limit",
  "-o": "--json",
  "-p": "--listen",
};

/** The error for a command line that `command` could not read. */
export function mistakeError(command: Command, mistake: Mistake): HarnessError {
  const group = misspeltUnderDefault(command, mistake);
  return group === null
    ? usage(command, problemText(command, mistake))
    : usage(group.command, unknownCommand(group.command, group.word));
}

function usage(command: Command, text: string): HarnessError {
  const next = `\`${command.path} --help\` lists what there is`;
  return new HarnessError("invalid_params", `${text}${text.endsWith("?") ? "" : ";"} ${next}`);
}

/** The group of `deployments shwo`: the word went to the command that the group has as its default. */
function misspeltUnderDefault(
  { parent, isDefault, args }: Command,
  mistake: Mistake,
): { command: Command; word: string } | null {
  if (mistake.kind !== "excess_arguments" || !isDefault || args.length > 0) return null;
  const [word = ""] = mistake.words;
  return parent === null || mistake.isNamed ? null : { command: parent, word };
}

function problemText(command: Command, mistake: Mistake): string {
  switch (mistake.kind) {
    case "unknown_command":
      return unknownCommand(command, mistake.word);
    case "unknown_option":
      return unknownOption(command, mistake.word);
    case "missing_value":
      return noValue(mistake.option);
    case "missing_option":
      return `required option '${mistake.option.flags}' not specified`;
    case "missing_argument":
      return `missing required argument '${mistake.name}'`;
    case "excess_arguments": {
      const hungry = swallowing(command, mistake.flags);
      if (hungry !== undefined) return noValue(hungry);
      return mistake.why === undefined
        ? tooMany(command, mistake.words)
        : `too many arguments: ${mistake.why}`;
    }
  }
}

function noValue({ flags }: Option): string {
  return `option '${flags}' argument missing`;
}

function tooMany({ name, args }: Command, words: readonly string[]): string {
  const expected = `${args.length} argument${args.length === 1 ? "" : "s"}`;
  return `too many arguments for '${name}'. Expected ${expected} but got ${words.length}: ` +
    words.join(", ");
}

/** `--version --command x`: the second flag became the value of the first, and its own value is left over. */
function swallowing(command: Command, given: TypedLine["flags"]): Option | undefined {
  const flags: unknown[] = command.options.map(({ long }) => long);
  return command.options.find(({ key }) =>
    [given[key]].flat().some((value) => flags.includes(value))
  );
}

/** `unknown command 'strat': did you mean start?` */
function unknownCommand(group: Command, word: string): string {
  const text = `unknown command '${word}'`;
  if (group.findCommand(word) !== undefined) {
    return `${text} here: name it before flags and before --`;
  }
  const near = nearestName(word, group.commands.map(({ name }) => name));
  const meant = ownProperty(ALSO_CALLED, word) ?? near ?? elsewhere(rootOf(group), word);
  return meant === null ? text : `${text}: did you mean ${meant}?`;
}

/** `unknown option '--jsn': did you mean --json?`; `--token` for `--token-file` is an unfinished one. */
function unknownOption(command: Command, word: string): string {
  const typed = word.startsWith("--") ? word.replace(/=.*/s, "") : word;
  const flags = command.options.filter(({ hidden }) => hidden !== true).map(({ long }) => long);
  const alias = ownProperty(FLAG_ALSO_CALLED, typed);
  const meant = flags.find((flag) => flag === alias) ??
    flags.find((flag) => flag.startsWith(`${typed}-`)) ??
    nearestFlag(typed, flags);
  const text = `unknown option '${word}'`;
  return meant === null ? text : `${text}: did you mean ${meant}?`;
}

function nearestFlag(typed: string, flags: readonly string[]): string | null {
  if (!typed.startsWith("--")) return null;
  const near = nearestName(typed.slice(2), flags.map((flag) => flag.slice(2)));
  return near === null ? null : `--${near}`;
}

/** The whole name of a command of a group that is called `word`: `logs` is `service logs`. */
function elsewhere(program: Command, word: string): string | null {
  if (program.findOption(`--${word}`) !== undefined) return `--${word}`;
  for (const group of program.commands) {
    if (group.findCommand(word) !== undefined) return `${group.name} ${word}`;
  }
  return null;
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}

function ownProperty(table: Readonly<Record<string, string>>, key: string): string | null {
  return Object.hasOwn(table, key) ? table[key] ?? null : null;
}

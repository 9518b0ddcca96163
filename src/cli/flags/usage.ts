/**
 * Usage errors: what was typed wrong, what was probably meant, and the help to read.
 *
 * @module
 */
import type { Command, CommanderError } from "commander";
import { HarnessError } from "../../errors.ts";
import { nearestName } from "../../util/did_you_mean.ts";

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

/** The error for a command line that `command` could not read; of commander's own, only help passes. */
export function usageError(command: Command, error: CommanderError): Error {
  if (error.exitCode === 0 || error.code === "commander.help") return error;
  const group = misspeltUnderDefault(command, error);
  return group === null
    ? usage(command, problemText(command, error), error)
    : usage(group, unknownCommand(group, group.args[0] ?? ""), error);
}

/**
 * Turns `help a b` into `a b --help`.
 *
 * @throws {HarnessError} `invalid_params` when there is no such command.
 */
export function helpArguments(program: Command, args: readonly string[]): string[] {
  const [first, ...words] = args;
  if (first !== "help" || words.length === 0) return [...args];
  let at = program;
  for (const word of words.filter((word) => !word.startsWith("-"))) {
    const next = at.commands.find((command) => command.name() === word);
    if (next === undefined) throw usage(at, unknownCommand(at, word));
    at = next;
  }
  return [...words, "--help"];
}

function usage(command: Command, text: string, cause?: unknown): HarnessError {
  const next = `\`${pathOf(command)} --help\` lists what there is`;
  const message = `${text}${text.endsWith("?") ? "" : ";"} ${next}`;
  return new HarnessError("invalid_params", message, cause === undefined ? {} : { cause });
}

/** The group of `deployments shwo`: the word went to the command that the group has as its default. */
function misspeltUnderDefault(command: Command, error: CommanderError): Command | null {
  const group = command.parent;
  const takesNone = command.registeredArguments.length === 0;
  if (error.code !== "commander.excessArguments" || !takesNone || !group?.parent) return null;
  return group.args[0] === command.name() ? null : group;
}

function problemText(command: Command, error: CommanderError): string {
  const text = error.message.replace(/^error: /, "")
    .replace(/\s*\(Did you mean (.+?)\?\)$/s, ": did you mean $1?")
    .replace(/\.$/, "");
  if (error.code === "commander.unknownCommand") {
    return unknownCommand(command, command.args[0] ?? "");
  }
  if (error.code === "commander.unknownOption") return unknownOption(command, text);
  return error.code === "commander.excessArguments" ? swallowedFlag(command) ?? text : text;
}

/** `--version --command x`: the second flag became the value of the first, and its own value is left over. */
function swallowedFlag(command: Command): string | null {
  const flags = command.options.map((option) => option.long);
  const given = command.opts();
  const hungry = command.options.find((option) =>
    [given[option.attributeName()]].flat().some((value) => flags.includes(value))
  );
  return hungry === undefined ? null : `option '${hungry.flags}' argument missing`;
}

/** `unknown command 'strat': did you mean start?` */
function unknownCommand(group: Command, word: string): string {
  const text = `unknown command '${word}'`;
  const near = nearestName(word, group.commands.map((command) => command.name()));
  const meant = ownProperty(ALSO_CALLED, word) ?? near ?? elsewhere(rootOf(group), word);
  return meant === null ? text : `${text}: did you mean ${meant}?`;
}

/** Commander knows misspelt options; `--token` for `--token-file` is an unfinished one. */
function unknownOption(command: Command, text: string): string {
  const typed = /^unknown option '(--?[^'=]+)/.exec(text)?.[1];
  if (typed === undefined || text.endsWith("?")) return text;
  const flags = command.options.flatMap(({ long }) => long ? [long] : []);
  const alias = ownProperty(FLAG_ALSO_CALLED, typed);
  const meant = flags.find((flag) => flag === alias) ??
    flags.find((flag) => flag.startsWith(`${typed}-`));
  return meant === undefined ? text : `${text}: did you mean ${meant}?`;
}

/** The whole name of a command of a group that is called `word`: `logs` is `service logs`. */
function elsewhere(program: Command, word: string): string | null {
  if (program.options.some((option) => option.long === `--${word}`)) return `--${word}`;
  for (const group of program.commands) {
    const found = group.commands.find((command) => command.name() === word);
    if (found !== undefined) return `${group.name()} ${word}`;
  }
  return null;
}

/** `harness-ws-server service get` */
function pathOf(command: Command): string {
  const above = command.parent === null ? "" : `${pathOf(command.parent)} `;
  return `${above}${command.name()}`;
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}

function ownProperty(table: Readonly<Record<string, string>>, key: string): string | null {
  return Object.hasOwn(table, key) ? table[key] ?? null : null;
}

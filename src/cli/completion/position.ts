/**
 * What is being completed: a command, a flag, the value of a flag or an argument.
 *
 * @module
 */
import type { Argument, Command, Option } from "../command_line/command.ts";

/** The place of the cursor in a command line. */
export interface Position {
  /** The command that it belongs to. */
  readonly command: Command;
  /** The names of the command, without the program's: `service get`. */
  readonly path: string;
  /** The flag whose value is being completed, or `null`. */
  readonly option: Option | null;
  /** The argument that is being completed, or `null`. */
  readonly argument: Argument | null;
  /** Whether a subcommand may stand here. */
  readonly takesCommand: boolean;
  /** Whether a flag may stand here. */
  readonly takesFlag: boolean;
  /** What the word begins with that is no part of the value: `--url=`. */
  readonly kept: string;
  /** The arguments before it. */
  readonly args: readonly string[];
  /** The values of flags before it, by the name of their attribute. */
  readonly given: ReadonlyMap<string, readonly string[]>;
}

/** The command that is meant where none is named. */
const DEFAULT_COMMAND = "serve";

/** A half-typed command line. */
export interface HalfTyped {
  /** The program with its commands. */
  readonly program: Command;
  /** Loads the flags of a command. */
  readonly load: (command: Command) => Promise<void>;
  /** The words before the cursor, without the program. */
  readonly words: readonly string[];
  /** The word at the cursor. */
  readonly current: string;
}

/** Reads a half-typed command line. */
export async function positionOf({ program, load, words, current }: HalfTyped): Promise<Position> {
  const reader = new Reader(program, load);
  for (const word of words) await reader.take(word);
  return await reader.end(current);
}

class Reader {
  #command: Command;
  readonly #path: string[] = [];
  readonly #args: string[] = [];
  readonly #given = new Map<string, string[]>();
  readonly #load: (command: Command) => Promise<void>;
  #pending: Option | null = null;
  #onlyArguments = false;
  #isHelp = false;

  constructor(program: Command, load: (command: Command) => Promise<void>) {
    this.#command = program;
    this.#load = load;
  }

  async take(word: string): Promise<void> {
    if (this.#pending !== null) {
      this.#give(this.#pending, word);
      this.#pending = null;
    } else if (!this.#onlyArguments && word === "--") this.#onlyArguments = true;
    else if (!this.#onlyArguments && word.startsWith("-") && word !== "-") {
      await this.#takeFlag(word);
    } else if (this.#takesCommand() && await this.#enter(word)) return;
    else this.#args.push(word);
  }

  async end(current: string): Promise<Position> {
    const equals = /^--[^=]+=/.exec(current)?.[0];
    const isFlag = !this.#onlyArguments && this.#pending === null && current.startsWith("-");
    if (isFlag && this.#command.parent === null && !this.#isHelp) {
      await this.#enter(DEFAULT_COMMAND);
    }
    const option = this.#pending ??
      (isFlag && equals !== undefined ? this.#find(equals.slice(0, -1)) : null);
    const takesValue = this.#pending !== null || (isFlag && equals !== undefined);
    const takesCommand = !takesValue && !isFlag && this.#takesCommand();
    return {
      command: this.#command,
      path: this.#path.join(" "),
      option,
      argument: takesValue || isFlag || this.#isHelp ? null : this.#argument(),
      takesCommand,
      takesFlag: isFlag && !takesValue,
      kept: isFlag && equals !== undefined ? equals : "",
      args: this.#args,
      given: this.#given,
    };
  }

  async #takeFlag(word: string): Promise<void> {
    const [name = "", ...rest] = word.split("=");
    let option = this.#find(name);
    if (option === null && this.#command.parent === null) {
      // `--listen …` without a command is `serve --listen …`.
      await this.#enter(DEFAULT_COMMAND);
      option = this.#find(name);
    }
    if (option?.takesValue !== true) return;
    if (rest.length > 0) this.#give(option, rest.join("="));
    else this.#pending = option;
  }

  #give(option: Option, value: string): void {
    const { key } = option;
    this.#given.set(key, [...this.#given.get(key) ?? [], value]);
  }

  #find(name: string): Option | null {
    for (let at: Command | null = this.#command; at !== null; at = at.parent) {
      const found = at.findOption(name);
      if (found !== undefined) return found;
    }
    return null;
  }

  #takesCommand(): boolean {
    return !this.#onlyArguments && this.#args.length === 0 && this.#command.commands.length > 0;
  }

  async #enter(word: string): Promise<boolean> {
    if (word === "help" && this.#command.parent === null) {
      this.#isHelp = true;
      return true;
    }
    const next = this.#command.findCommand(word);
    if (next === undefined) return false;
    this.#command = next;
    this.#path.push(next.name);
    await this.#load(next);
    return true;
  }

  #argument(): Argument | null {
    const all = this.#command.args;
    const last = all.at(-1);
    return all[this.#args.length] ?? (last?.variadic === true ? last : null);
  }
}

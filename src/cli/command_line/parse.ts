/**
 * Reads a command line: which command it names, and the values of its flags and arguments.
 *
 * The flags of a command may stand before, between and after its arguments; those of a group before the names of its
 * commands. `--flag=value`, `-nvalue` and `-qv` work as everywhere, and what comes after `--` is no flag.
 *
 * @module
 */
import type { Command, Option, TypedLine } from "./command.ts";

/** Why a command line cannot be read. */
export type Mistake =
  | { readonly kind: "unknown_command"; readonly word: string }
  | { readonly kind: "unknown_option"; readonly word: string }
  | { readonly kind: "missing_value"; readonly option: Option }
  | { readonly kind: "missing_option"; readonly option: Option }
  | { readonly kind: "missing_argument"; readonly name: string }
  | {
    readonly kind: "excess_arguments";
    readonly words: readonly string[];
    readonly flags: TypedLine["flags"];
    /** Whether the command was named, not run as the default of its group. */
    readonly isNamed: boolean;
    /** What to do about it, where the command knows. */
    readonly why?: string;
  };

/** What a command line asks for. */
export type Parsed =
  | { readonly kind: "run"; readonly command: Command; readonly line: TypedLine }
  | { readonly kind: "version" }
  /** The help was asked for, or a group was named and none of its commands. */
  | { readonly kind: "help"; readonly command: Command; readonly isAsked: boolean }
  | { readonly kind: "mistake"; readonly command: Command; readonly mistake: Mistake };

/** Reads `words`; `load` adds the flags of a command once it is named. */
export async function parseLine(
  program: Command,
  words: readonly string[],
  load: (command: Command) => Promise<void>,
): Promise<Parsed> {
  const reader = new LineReader(program, words, load);
  const parsed = await reader.read();
  const { command } = reader;
  // Who asks for help gets it, whatever else is wrong.
  if (reader.asks === "help") return { kind: "help", command, isAsked: true };
  return reader.asks === "version" ? { kind: "version" } : parsed;
}

class LineReader {
  command: Command;
  asks: "help" | "version" | null = null;
  readonly #words: string[];
  readonly #load: (command: Command) => Promise<void>;
  readonly #flags: Record<string, unknown> = {};
  readonly #before: string[] = [];
  #after: readonly string[] | null = null;
  #isNamed = true;
  #unknown: Parsed | null = null;

  constructor(
    program: Command,
    words: readonly string[],
    load: (command: Command) => Promise<void>,
  ) {
    this.command = program;
    this.#words = [...words];
    this.#load = load;
  }

  async read(): Promise<Parsed> {
    for (let word = this.#words.shift(); word !== undefined; word = this.#words.shift()) {
      if (word === "--") {
        this.#after = this.#words.splice(0);
      } else if (word.length > 1 && word.startsWith("-") && !this.#isNumber(word)) {
        const mistake = await this.#takeFlag(word);
        if (mistake !== null) return this.#mistaken(mistake);
      } else if (this.command.commands.length === 0) this.#before.push(word);
      else {
        const mistake = await this.#takeName(word);
        if (mistake !== null) return this.#lost(mistake);
      }
    }
    await this.#enterDefault();
    return this.#end();
  }

  /** A negative number is an argument where no flag has a digit. */
  #isNumber(word: string): boolean {
    return this.command.commands.length === 0 && /^-(?:\d+|\d*\.\d+)(?:e[+-]?\d+)?$/.test(word);
  }

  async #takeName(word: string): Promise<Mistake | null> {
    const next = this.command.findCommand(word);
    if (next !== undefined) {
      await this.#enter(next);
      return null;
    }
    if (word === "help") return await this.#takeHelp();
    if (this.#defaultCommand() === undefined) return { kind: "unknown_command", word };
    await this.#enterDefault();
    this.#before.push(word);
    return null;
  }

  /** `help a b` is `a b --help`. */
  async #takeHelp(): Promise<Mistake | null> {
    for (const word of this.#words.splice(0)) {
      if (word.startsWith("-")) continue;
      const next = this.command.findCommand(word);
      if (next === undefined) return { kind: "unknown_command", word };
      await this.#enter(next);
    }
    this.asks = "help";
    return null;
  }

  async #takeFlag(word: string): Promise<Mistake | null> {
    const { command } = this;
    const whole = command.findOption(word);
    if (whole !== undefined) return this.#takeOption(whole);
    if (word === "-h" || word === "--help") {
      this.asks ??= "help";
      return null;
    }
    const [, name = "", value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
    const long = command.findOption(name);
    if (long?.takesValue === true && value !== undefined) {
      this.#give(long, value);
      return null;
    }
    const letter = word.startsWith("--") ? undefined : command.findOption(word.slice(0, 2));
    if (letter !== undefined) {
      if (letter.takesValue) this.#give(letter, word.slice(2));
      else {
        this.#give(letter, true);
        this.#words.unshift(`-${word.slice(2)}`);
      }
      return null;
    }
    // A flag of the command that the group runs by default.
    if (this.#defaultCommand() !== undefined) {
      await this.#enterDefault();
      return await this.#takeFlag(word);
    }
    // Only noted: the words after it may ask for help.
    this.#unknown ??= this.#mistaken({ kind: "unknown_option", word });
    return null;
  }

  #takeOption(option: Option): Mistake | null {
    if (option.key === "version" && this.command.parent === null) this.asks ??= "version";
    if (!option.takesValue) {
      this.#give(option, true);
      return null;
    }
    const value = this.#words.shift();
    if (value === undefined) return { kind: "missing_value", option };
    this.#give(option, value);
    while (option.variadic && this.#words[0]?.startsWith("-") === false) {
      this.#give(option, this.#words.shift() ?? "");
    }
    return null;
  }

  #give({ key, repeatable = false, variadic }: Option, value: string | true): void {
    const before = this.#flags[key];
    this.#flags[key] = repeatable || variadic
      ? [...Array.isArray(before) ? before : [], value]
      : value;
  }

  async #enter(command: Command): Promise<void> {
    this.command = command;
    await this.#load(command);
  }

  #defaultCommand(): Command | undefined {
    return this.command.commands.find(({ isDefault }) => isDefault);
  }

  async #enterDefault(): Promise<void> {
    const command = this.asks === null ? this.#defaultCommand() : undefined;
    if (command === undefined) return;
    this.#isNamed = false;
    await this.#enter(command);
  }

  /** No command, so nobody knows what its words are; but they may ask for help. */
  #lost(mistake: Mistake): Parsed {
    const end = this.#words.indexOf("--");
    const flags = end === -1 ? this.#words : this.#words.slice(0, end);
    if (flags.includes("-h") || flags.includes("--help")) this.asks ??= "help";
    return this.#mistaken(mistake);
  }

  #mistaken(mistake: Mistake): Parsed {
    return { kind: "mistake", command: this.command, mistake };
  }

  #end(): Parsed {
    const { command } = this;
    if (this.#unknown !== null) return this.#unknown;
    for (const option of command.options) {
      if (option.fallback !== undefined) this.#flags[option.key] ??= option.fallback;
      if (option.mandatory === true && this.#flags[option.key] === undefined) {
        return this.#mistaken({ kind: "missing_option", option });
      }
    }
    if (command.commands.length > 0) {
      const [word] = this.#after ?? [];
      if (word !== undefined) return this.#mistaken({ kind: "unknown_command", word });
      return { kind: "help", command, isAsked: false };
    }
    return this.#withArguments([...this.#before, ...this.#after ?? []]);
  }

  #withArguments(words: string[]): Parsed {
    const { command } = this;
    const args: TypedLine["args"][number][] = [];
    for (const { name, required, variadic } of command.args) {
      if (required && words.length === 0) {
        return this.#mistaken({ kind: "missing_argument", name });
      }
      args.push(variadic ? words.splice(0) : words.shift());
    }
    if (words.length > 0) {
      return this.#mistaken({
        kind: "excess_arguments",
        words: [...this.#before, ...this.#after ?? []],
        flags: this.#flags,
        isNamed: this.#isNamed,
      });
    }
    const line = { flags: this.#flags, args, before: this.#before, after: this.#after };
    return { kind: "run", command, line };
  }
}

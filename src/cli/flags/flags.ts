/**
 * Flags that may also come from the environment and from a config file.
 *
 * One table entry has everything about a flag: name, environment variable, default, and its parser. Precedence:
 * command line > environment > config file > default. An error names the place of the wrong value.
 *
 * @module
 */
import type { Command, OptionExtras } from "../command_line/command.ts";
import { HarnessError, messageOf } from "../../errors.ts";
import { PROGRAM_FLAGS } from "../help_text.ts";
import { oneOf } from "./values.ts";

/** One flag whose value is a `T`. */
export interface Flag<T> {
  /** Its letter, as in `-n`; most have none. */
  readonly short?: string;
  /** Placeholder of its value in the help, or `null` for a boolean flag. */
  readonly value: string | null;
  /** Environment variable, or `null` for none. */
  readonly env: string | null;
  /** One line for the help. */
  readonly help: string;
  /** Whether it may be given several times. */
  readonly repeatable: boolean;
  /** Parses the given texts, which came from `place`. Throws an `Error` with what is expected. */
  readonly parse: (texts: readonly string[], place: string) => T;
  /** The value where the flag is not given. */
  readonly fallback: T;
  /** The default as the help shows it, or `null` to leave it out. */
  readonly shownDefault: string | null;
  /** The values that it takes, where they are a closed list. */
  readonly choices?: readonly string[];
}

/** What {@linkcode Flag}s are made of besides how their text is read. */
export interface FlagText {
  /** Environment variable; none when left out. */
  env?: string;
  /** One line for the help. */
  help: string;
  /** Its letter, without the dash. */
  short?: string;
}

/** A table of flags: the key `stateDir` is the flag `--state-dir`. */
export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

/** The values of a {@linkcode FlagTable}. */
export type FlagValues<F extends FlagTable> = {
  [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

/**
 * The flags that every command has. The program reads them before the command runs: {@linkcode Io.quiet} and
 * {@linkcode Io.verbose} have their values.
 */
export const OUTPUT_FLAGS = {
  quiet: booleanFlag({ short: "q", help: PROGRAM_FLAGS.quiet[1] }),
  verbose: booleanFlag({ short: "v", help: PROGRAM_FLAGS.verbose[1] }),
} satisfies FlagTable;

/** The flags of commands that print a table. */
export const TABLE_FLAGS = {
  wide: booleanFlag({ help: "more columns, and full times" }),
} satisfies FlagTable;

const on = ["1", "true", "yes", "on"];
const off = ["0", "false", "no", "off"];

/** A flag without a value. */
export function booleanFlag(text: FlagText): Flag<boolean> {
  return {
    ...shortOf(text),
    value: null,
    env: text.env ?? null,
    help: text.help,
    repeatable: false,
    parse: ([given = ""]) => {
      const word = given.toLowerCase();
      if (!on.includes(word) && !off.includes(word)) {
        throw new Error(`must be one of ${[...on, ...off].join(", ")}`);
      }
      return on.includes(word);
    },
    fallback: false,
    shownDefault: null,
  };
}

/** A flag with a text that `read` makes something of. */
export function valueFlag<T>(
  value: string,
  text: FlagText & { fallback: T; shownDefault?: string },
  read: (given: string) => T,
): Flag<T> {
  return {
    ...shortOf(text),
    value,
    env: text.env ?? null,
    help: text.help,
    repeatable: false,
    parse: ([given = ""]) => read(given),
    fallback: text.fallback,
    shownDefault: text.shownDefault ?? null,
  };
}

/** A flag with a text, such as a path. `null` when it is not given. */
export function textFlag(value: string, text: FlagText): Flag<string | null> {
  return valueFlag<string | null>(value, { ...text, fallback: null }, nonEmpty);
}

/** A file with the flag or variable that named it, for errors. */
export interface NamedFile {
  /** The path as given. */
  readonly path: string;
  /** `--token-file`, `HARNESS_TOKEN_FILE`, or the line of the config file. */
  readonly place: string;
}

/** A flag with a file that this program reads. `null` when it is not given. */
export function fileFlag(text: FlagText & { value?: string }): Flag<NamedFile | null> {
  return {
    ...textFlag(text.value ?? "file", text),
    fallback: null,
    parse: ([given = ""], place) => ({ path: nonEmpty(given), place }),
  };
}

/** A flag that takes one of `choices`; the first is the default. */
export function choiceFlag<const C extends string>(
  choices: readonly [C, ...C[]],
  text: FlagText,
  fallback: C = choices[0],
): Flag<C> {
  const shown = { ...text, fallback, shownDefault: fallback };
  return { ...valueFlag<C>(choices.join("|"), shown, oneOf(choices)), choices };
}

/** The same, without a default. */
export function optionalChoiceFlag<const C extends string>(
  value: string,
  choices: readonly C[],
  text: FlagText & { shownDefault?: string },
): Flag<C | null> {
  return { ...valueFlag<C | null>(value, { ...text, fallback: null }, oneOf(choices)), choices };
}

/** A flag that may be given several times. */
export function listFlag<T>(
  value: string,
  text: FlagText,
  read: (given: string, place: string) => T,
): Flag<T[]> {
  return {
    value,
    env: text.env ?? null,
    help: `${text.help} (repeatable)`,
    repeatable: true,
    parse: (texts, place) => texts.map((text) => read(text, place)),
    fallback: [],
    shownDefault: null,
  };
}

function shortOf({ short }: FlagText): { short?: string } {
  return short === undefined ? {} : { short };
}

/** The fields that have a value: flags that were not given are `null`, and a request leaves them out. */
export function presentFields<T extends object>(
  fields: T,
): { [K in keyof T]?: Exclude<T[K], null | undefined> } {
  const entries = Object.entries(fields).filter(([, value]) =>
    value !== null && value !== undefined
  );
  return Object.fromEntries(entries) as ReturnType<typeof presentFields<T>>;
}

/** The name of the flag for a key of a {@linkcode FlagTable}: `stateDir` → `state-dir`. */
export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** How flags are declared: in a group of the help of their own, or in none. */
type Placing = Pick<OptionExtras, "heading" | "hidden">;

/** Declares the flags of `table` on `command`; `placing` may be their heading alone. */
export function addFlags(
  command: Command,
  table: FlagTable,
  placing: string | Placing = {},
): void {
  const place = typeof placing === "string" ? { heading: placing } : placing;
  for (const [key, flag] of Object.entries(table)) {
    const notes = [
      ...(flag.shownDefault === null ? [] : [`default: ${flag.shownDefault}`]),
      ...(flag.env === null ? [] : [`env: ${flag.env}`]),
    ];
    const help = notes.length === 0 ? flag.help : `${flag.help} (${notes.join(", ")})`;
    const value = flag.value === null ? "" : ` <${flag.value}>`;
    const letter = flag.short === undefined ? "" : `-${flag.short}, `;
    command.option(`${letter}--${flagName(key)}${value}`, help, {
      ...place,
      repeatable: flag.repeatable,
      ...(flag.choices === undefined ? {} : { choices: flag.choices }),
    });
  }
}

/** Flags that may come before a command's name and after it; the program looks for them anywhere. */
export const GLOBAL_FLAGS: readonly string[] = ["--debug", "--no-color"];

/** Lets a command take {@linkcode GLOBAL_FLAGS}, which its help leaves to that of the program. */
export function addGlobalFlags(command: Command): void {
  for (const flag of GLOBAL_FLAGS) command.option(flag, "", { hidden: true });
}

/** The values that the config file has for one flag. */
export interface ConfigValue {
  /** The value, or several for a list. */
  readonly texts: readonly string[];
  /** `file:line`. */
  readonly place: string;
}

/** Where the values of flags come from, besides the command line. */
export interface FlagSources {
  /** Reads an environment variable. */
  env(name: string): string | undefined;
  /** Values of the config file by flag name. */
  config?: ReadonlyMap<string, ConfigValue>;
}

/**
 * The values of all flags of `table`.
 *
 * @throws {HarnessError} `invalid_params` when a value is wrong, with its place and the reason.
 */
export function readFlags<F extends FlagTable>(
  table: F,
  given: Readonly<Record<string, unknown>>,
  sources: FlagSources,
): FlagValues<F> {
  const values: Record<string, unknown> = {};
  const errors: HarnessError[] = [];
  for (const [key, flag] of Object.entries(table)) {
    try {
      values[key] = readFlag(flag, flagName(key), given[key], sources);
    } catch (error) {
      if (!(error instanceof HarnessError)) throw error;
      errors.push(error);
    }
  }
  const [first, ...others] = errors;
  if (first === undefined) return values as FlagValues<F>;
  if (others.length === 0) throw first;
  throw new HarnessError("invalid_params", errors.map(messageOf).join("; "), { cause: first });
}

function readFlag(flag: Flag<unknown>, name: string, given: unknown, sources: FlagSources) {
  if (given !== undefined) return parseFrom(flag, `--${name}`, asTexts(given));
  const fromEnv = flag.env === null ? undefined : sources.env(flag.env);
  if (flag.env !== null && fromEnv !== undefined && fromEnv !== "") {
    const texts = flag.repeatable ? fromEnv.split(",").map((s) => s.trim()) : [fromEnv];
    return parseFrom(flag, flag.env, texts.filter((text) => text !== ""));
  }
  const fromFile = sources.config?.get(name);
  if (fromFile === undefined) return flag.fallback;
  return parseFrom(flag, `${fromFile.place}: ${name}`, fromFile.texts);
}

function asTexts(given: unknown): string[] {
  return Array.isArray(given) ? given.map(String) : [String(given)];
}

function parseFrom(flag: Flag<unknown>, place: string, texts: readonly string[]): unknown {
  // One by one first: of several values only the wrong one is shown.
  for (const part of flag.repeatable ? texts.map((text) => [text]) : [texts]) {
    try {
      flag.parse(part, place);
    } catch (error) {
      throw new HarnessError(
        "invalid_params",
        `Cannot use ${place}: ${JSON.stringify(part[0] ?? "")} ${messageOf(error)}`,
        { cause: error },
      );
    }
  }
  return flag.parse(texts, place);
}

function nonEmpty(given: string): string {
  if (given === "") throw new Error("must not be empty");
  return given;
}

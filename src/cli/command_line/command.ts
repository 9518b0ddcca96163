/**
 * Commands with their arguments and flags, as data: `parse.ts` reads command lines by them, `help.ts` shows them.
 *
 * @module
 */

/** What an {@linkcode Option} may have besides its flags and its help. */
export interface OptionExtras {
  /** Whether each further one adds a value. @default {false: the last one counts} */
  readonly repeatable?: boolean;
  /** Whether the command cannot run without it. @default {false} */
  readonly mandatory?: boolean;
  /** Whether help leaves it out. @default {false} */
  readonly hidden?: boolean;
  /** Above which heading help has it. @default {"Options:"} */
  readonly heading?: string;
  /** Its value where it is not given. */
  readonly fallback?: string;
  /** The values that it takes, where they are a closed list. */
  readonly choices?: readonly string[];
}

/** A flag of a command. */
export interface Option extends OptionExtras {
  /** As help has it: `-n, --lines <n>`. */
  readonly flags: string;
  /** One line for the help. */
  readonly about: string;
  /** `-n`, or `null`. */
  readonly short: string | null;
  /** `--lines`. */
  readonly long: string;
  /** The name of its value: `--dry-run` is `dryRun`. */
  readonly key: string;
  /** Whether it takes a value. */
  readonly takesValue: boolean;
  /** Whether it takes all words up to the next flag: `<file...>`. */
  readonly variadic: boolean;
}

/** An argument of a command. */
export interface Argument {
  /** Its name, without brackets and dots. */
  readonly name: string;
  /** As help has it: `<name>`, `[name...]`. */
  readonly term: string;
  /** What it is; may be empty. */
  readonly about: string;
  /** Whether the command cannot run without it. */
  readonly required: boolean;
  /** Whether it takes all words that are left. */
  readonly variadic: boolean;
}

/** A command line that was read. */
export interface TypedLine {
  /** The values of flags by {@linkcode Option.key}. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** One value for each {@linkcode Argument}; `undefined` where it was left out. */
  readonly args: ReadonlyArray<string | readonly string[] | undefined>;
  /** The words among them that stood before `--`. */
  readonly before: readonly string[];
  /** Those after it; `null` where there is no `--`. */
  readonly after: readonly string[] | null;
}

/** What tells a {@linkcode Command} from others. */
export interface CommandText {
  /** Its name. */
  readonly name: string;
  /** One line for the help. */
  readonly about: string;
  /** Its arguments: `<name>` or `[name]`, and what each is. */
  readonly args?: ReadonlyArray<readonly [term: string, about?: string]> | undefined;
  /** Its other name. */
  readonly alias?: string | undefined;
  /** Whether its group runs it where none of its commands is named. */
  readonly isDefault?: boolean | undefined;
}

/** A command or a group of them; the one without a parent is the program. */
export class Command {
  /** Its name. */
  readonly name: string;
  /** One line for the help. */
  readonly about: string;
  /** Its other name, or `null`. */
  readonly alias: string | null;
  /** Whether its group runs it where none of its commands is named. */
  readonly isDefault: boolean;
  /** Its arguments. */
  readonly args: readonly Argument[];
  /** The group that it is in. */
  readonly parent: Command | null;
  /** Those of a group. */
  readonly commands: Command[] = [];
  /** Its flags. */
  readonly options: Option[] = [];
  /** What it does; a group does nothing. */
  action: ((line: TypedLine) => Promise<void>) | null = null;

  /** Makes a command without flags, and adds it to its group. */
  constructor(
    { name, about, args = [], alias, isDefault = false }: CommandText,
    parent: Command | null = null,
  ) {
    this.name = name;
    this.about = about;
    this.alias = alias ?? null;
    this.isDefault = isDefault;
    this.args = args.map(([term, text = ""]) => argumentOf(term, text));
    this.parent = parent;
    parent?.commands.push(this);
  }

  /** Adds a flag such as `-n, --lines <n>`. */
  option(flags: string, about: string, extras: OptionExtras = {}): this {
    const [, short = null, long = "", value = ""] =
      /^(?:(-\w), )?(--[\w-]+)(?: <(.+)>)?$/.exec(flags) ?? [];
    this.options.push({
      ...extras,
      flags,
      about,
      short,
      long,
      key: long.slice(2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()),
      takesValue: value !== "",
      variadic: value.endsWith("..."),
    });
    return this;
  }

  /** The flag that is typed as `word`. */
  findOption(word: string): Option | undefined {
    return this.options.find(({ short, long }) => word === long || word === short);
  }

  /** The command of this group that is called `word`. */
  findCommand(word: string): Command | undefined {
    return this.commands.find(({ name, alias }) => name === word || alias === word);
  }

  /** Its name behind those of its groups: `harness-ws-server service get`. */
  get path(): string {
    return this.parent === null ? this.name : `${this.parent.path} ${this.name}`;
  }
}

function argumentOf(term: string, about: string): Argument {
  const variadic = term.endsWith("...>") || term.endsWith("...]");
  const name = term.slice(1, variadic ? -4 : -1);
  return { name, term, about, required: term.startsWith("<"), variadic };
}

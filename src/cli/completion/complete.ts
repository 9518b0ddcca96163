/**
 * `complete`, which the shells' scripts call at each Tab. It prints what to do on the first line (`:files`, `:dirs` or
 * `:`, and `nospace`), then a candidate on each line, with a tab before what is said about it.
 *
 * It never fails, never waits long, asks nothing and prints nothing else: it runs while somebody types.
 *
 * @module
 */
import type { Command } from "../command_line/command.ts";
import { visible } from "../../util/terminal_text.ts";
import { loadCommand } from "../command_tree.ts";
import { HELP_COMMAND, PROGRAM_FLAGS } from "../help_text.ts";
import type { Context, Io } from "../context.ts";
import { CLI_COMPLETION_TIMEOUT_MS, CLI_MAX_COMPLETIONS } from "../limits.ts";
import { parseBashLine, quoteForBash } from "./bash_words.ts";
import type { Candidate } from "./candidate.ts";
import { isLive, liveNames } from "./live_names.ts";
import { type Position, positionOf } from "./position.ts";
import { kindAt, type ValueKind } from "./value_kinds.ts";

/** A longer name is nothing to choose from a list. */
const MAX_NAME_LENGTH = 256;

/** What is offered at a place. */
interface Offer {
  readonly candidates: readonly Candidate[];
  /** What the shell completes by itself. */
  readonly shell: "files" | "dirs" | null;
}

/** The half-typed line that a script was called for. */
interface TypedLine {
  readonly words: readonly string[];
  readonly current: string;
  /** The text that is written for a word; `null` where it cannot be. */
  write(word: string): string | null;
  /** Whether the shell shows what is said about a word. */
  readonly hasAbout: boolean;
}

/**
 * What answers `complete <shell> …`, or `null` for other arguments. It is no command of the program: no typo reaches it,
 * no help lists it.
 */
export function completionCommand(
  args: readonly string[],
): ((program: Command, context: Context) => Promise<void>) | null {
  const line = typedLine(args);
  if (line === null) return null;
  return async (program, context) => {
    const { words, current } = line;
    const load = (command: Command) => loadCommand(command, context);
    const position = await positionOf({ program, load, words, current });
    const offer = await offerAt(position, current, context).catch(() => NOTHING);
    printOffer(context.io, line, offer);
  };
}

const NOTHING: Offer = { candidates: [], shell: null };

/** `bash --line=… --breaks=…`, or `<shell> --current=… -- <words>`. */
function typedLine([shell = "", ...args]: readonly string[]): TypedLine | null {
  const value = (name: string) =>
    args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
  if (shell === "bash") {
    const line = value("line");
    if (line === undefined) return null;
    const { words, current, replacedFrom, quote } = parseBashLine(line, value("breaks") ?? "");
    return {
      words: words.slice(1),
      current,
      write: (word) => quoteForBash(word.slice(replacedFrom), quote),
      hasAbout: false,
    };
  }
  const current = value("current");
  const end = args.indexOf("--");
  if (current === undefined || end < 0) return null;
  return {
    words: args.slice(end + 1),
    // fish and PowerShell pass the word as it is typed.
    current: shell === "zsh" ? current : parseBashLine(current, "").current,
    write: (word) => word,
    hasAbout: true,
  };
}

function printOffer(io: Io, line: TypedLine, { candidates, shell }: Offer): void {
  const seen = new Set<string>();
  const lines: string[] = [];
  let isDirectory = false;
  for (const { value, about } of candidates) {
    if (!value.startsWith(line.current) || seen.has(value)) continue;
    if (visible(value) !== value || value.length > MAX_NAME_LENGTH) continue;
    seen.add(value);
    const written = line.write(value);
    if (written === null) continue;
    isDirectory = value.endsWith("/");
    lines.push(line.hasAbout && about !== "" ? `${written}\t${visible(about)}` : written);
    if (lines.length === CLI_MAX_COMPLETIONS) break;
  }
  const nospace = lines.length === 1 && isDirectory ? " nospace" : "";
  io.out([`:${shell ?? ""}${nospace}`, ...lines, ""].join("\n"));
}

async function offerAt(position: Position, current: string, context: Context): Promise<Offer> {
  const words: Candidate[] = [];
  if (position.takesFlag) words.push(...flags(position));
  if (position.takesCommand) words.push(...commands(position.command));
  const kind = kindAt(position);
  if (kind === null || kind === "text") return { candidates: words, shell: null };
  const typed = current.slice(position.kept.length);
  const values = typeof kind === "string"
    ? await valuesOf(kind, position, typed, context)
    : { candidates: kind.map((value) => ({ value, about: "" })), shell: null };
  return {
    candidates: [
      ...words,
      ...values.candidates.map((one) => ({ ...one, value: `${position.kept}${one.value}` })),
    ],
    shell: values.shell,
  };
}

function commands(command: Command): Candidate[] {
  return [...command.commands, { name: "help", about: HELP_COMMAND.description }]
    .map(({ name, about }) => ({ value: name, about }));
}

/** The flags of a command that may (again) be given. */
function flags({ command, given }: Position): Candidate[] {
  const again = command.options.filter(({ hidden, repeatable, key }) =>
    hidden !== true && (repeatable === true || !given.has(key))
  );
  return [
    ...again.map(({ long, about }) => ({ value: long, about })),
    { value: "--help", about: PROGRAM_FLAGS.help[1] },
    ...command.parent === null ? [] : ROOT_FLAGS,
  ];
}

/** Flags that every command takes, though its help does not list them. */
const ROOT_FLAGS = [
  { value: "--debug", about: "show the stack trace of an error" },
  { value: "--no-color", about: "no colour" },
];

async function valuesOf(
  kind: ValueKind,
  position: Position,
  typed: string,
  context: Context,
): Promise<Offer> {
  if (kind === "file" || kind === "directory") {
    return { candidates: [], shell: kind === "file" ? "files" : "dirs" };
  }
  if (kind === "named_file") return { candidates: [], shell: typed.includes("=") ? "files" : null };
  // deploy@web1: the host follows the user.
  const user = kind === "target" ? /^[^@]*@/.exec(typed)?.[0] ?? "" : "";
  const prefix = typed.slice(user.length);
  const { path, args } = position;
  const question = { kind, path, prefix, args };
  const [local, live] = await Promise.all([
    localNames(kind, typed),
    isLive(kind) ? askServer(context, position, question) : [],
  ]);
  const found = [...live, ...local];
  if (user === "") return { candidates: found, shell: null };
  // A host that was deployed to is stored with its user: that of the line counts.
  const candidates = found.map(({ value, about }) => ({
    value: `${user}${value.replace(/^[^@]*@/, "")}`,
    about,
  }));
  return { candidates, shell: null };
}

async function localNames(kind: ValueKind, typed: string): Promise<Candidate[]> {
  const isHost = kind === "target" || kind === "host";
  if (!isHost && kind !== "package" && kind !== "package_file") return [];
  const { packageFiles, sshHosts } = await import("./local_names.ts");
  return await (isHost ? sshHosts() : packageFiles(typed));
}

/** The names that the server of the line has; none where it does not answer in time. */
async function askServer(
  context: Context,
  { given }: Position,
  question: Parameters<typeof liveNames>[1],
): Promise<Candidate[]> {
  const last = (name: string) => given.get(name)?.at(-1);
  const flags = { url: last("url"), tokenFile: last("tokenFile"), tlsCa: last("tlsCa") };
  const deadline = AbortSignal.timeout(CLI_COMPLETION_TIMEOUT_MS);
  const { io } = context;
  const silent: Io = { ...io, out: () => {}, err: () => {}, interrupted: deadline };
  const asked = (async () => {
    const timeout = `${CLI_COMPLETION_TIMEOUT_MS}ms`;
    const { openSession } = await import("../session/connect.ts");
    await using session = await openSession({ ...context, io: silent }, { ...flags, timeout });
    return await liveNames(session, question);
  })();
  // Also a token file that is a FIFO must not make the shell wait.
  const late = new Promise<Candidate[]>((resolve) =>
    deadline.addEventListener("abort", () => resolve([]))
  );
  return await Promise.race([asked, late]).catch(() => []);
}

/**
 * The whole command line as one function, so that tests can run it in their own process.
 *
 * @module
 */
import { Command, type TypedLine } from "./command_line/command.ts";
import { type Parsed, parseLine } from "./command_line/parse.ts";
import { HarnessError } from "../errors.ts";
import { SERVER_NAME } from "../version.ts";
import { addCommands, loadCommand } from "./command_tree.ts";
import type { Context, Io } from "./context.ts";
import { EXIT } from "./exit_codes.ts";
import { PROGRAM_FLAGS } from "./help_text.ts";
import { programHelp, versionText, widthOfHelp } from "./program_help.ts";
import { printText } from "./output/table.ts";
import { GLOBAL_FLAGS } from "./flags/flags.ts";
import { runtimeText, v8Version } from "../util/node/runtime.ts";

/** Flags that may come before a command's name. */
const LEADING = [...GLOBAL_FLAGS, "-q", "--quiet", "-v", "--verbose"];
/** Flags that are answered without any command. */
const ANSWERED = ["-h", "--help", "-V", "--version"];

/** Runs the command line `args` and returns the exit code. Never exits, never rejects. */
export async function main(args: readonly string[], io: Io): Promise<number> {
  const context: Context = {
    io: args.includes("--no-color") ? { ...io, color: false, errColor: false } : io,
    exitCode: 0,
    debug: args.includes("--debug") || truthy(io.env("HARNESS_DEBUG")),
    // Until the command is known: an error in the flags comes before.
    json: args.includes("--json"),
  };
  try {
    const program = createProgram();
    if (await isCompletion(args, program, context)) return context.exitCode;
    // Elsewhere `-v` is the version; alone it must not start a server.
    const given = args.length === 1 && args[0] === "-v" ? ["--version"] : args;
    const words = withDefaultCommand(given);
    const parsed = await parseLine(program, words, (command) => loadCommand(command, context));
    await carryOut(parsed, context);
    return context.exitCode;
  } catch (error) {
    const { report } = await import("./output/report.ts");
    return report(io, error, context);
  }
}

/** Completes a half-typed command line, where `args` are those of a shell's script. */
async function isCompletion(
  args: readonly string[],
  program: Command,
  context: Context,
): Promise<boolean> {
  if (args[0] !== "complete") return false;
  const { completionCommand } = await import("./completion/complete.ts");
  const complete = completionCommand(args.slice(1));
  await complete?.(program, context);
  return complete !== null;
}

/** The program with its commands; what a command does is loaded when it is named. */
export function createProgram(): Command {
  const program = new Command({ name: SERVER_NAME, about: "" });
  const { help: _, ...flags } = PROGRAM_FLAGS;
  for (const [flag, about] of Object.values(flags)) program.option(flag, about);
  addCommands(program);
  return program;
}

async function carryOut(parsed: Parsed, context: Context): Promise<void> {
  const { io } = context;
  switch (parsed.kind) {
    case "mistake": {
      const { mistakeError } = await import("./flags/usage.ts");
      throw mistakeError(parsed.command, parsed.mistake);
    }
    case "version":
      return io.out(`${versionText(runtimeText(), v8Version())}\n`);
    case "help": {
      const help = await helpOf(parsed.command, widthOfHelp(io.columns));
      if (parsed.isAsked) return printText(io, help);
      context.exitCode = EXIT.usage;
      return io.err(help);
    }
    case "run":
      context.io = await ioFor(io, parsed.command, parsed.line.flags);
      await parsed.command.action?.(parsed.line);
  }
}

async function helpOf(command: Command, width: number): Promise<string> {
  if (command.parent === null) return programHelp(width);
  const { commandHelp } = await import("./command_line/help.ts");
  return commandHelp(command, width);
}

/** The surroundings as the flags of `command` want them. */
async function ioFor(io: Io, command: Command, flags: TypedLine["flags"]): Promise<Io> {
  const [quiet, verbose] = [flags["quiet"] === true, flags["verbose"] === true];
  const wanted = { ...io, quiet, verbose };
  if (quiet && verbose) {
    throw new HarnessError("invalid_params", "Cannot use --quiet and --verbose together: omit one");
  }
  // The server has a log of its own.
  if (verbose && command.name !== "serve") {
    const { configureLogging } = await import("./logging.ts");
    configureLogging(wanted, { level: "debug", format: "text" });
  }
  return wanted;
}

/** Puts `serve` in where no command is named: `harness-ws-server --listen …` serves. */
export function withDefaultCommand(args: readonly string[]): string[] {
  let at = 0;
  while (at < args.length && LEADING.includes(args[at] ?? "")) at++;
  const next = args[at];
  const named = next !== undefined && (!next.startsWith("-") || ANSWERED.includes(next));
  return named ? [...args] : [...args.slice(0, at), "serve", ...args.slice(at)];
}

function truthy(value: string | undefined): boolean {
  return value !== undefined && !["0", "false", "no", "off"].includes(value.toLowerCase());
}

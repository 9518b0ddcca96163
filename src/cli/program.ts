/**
 * The whole command line as one function, so that tests can run it in their own process.
 *
 * @module
 */
import { Command, Option } from "commander";
import process from "node:process";
import { HarnessError } from "../errors.ts";
import { SERVER_NAME } from "../version.ts";
import { addCommands, type CommandChoice, loadCommand, needsNoGroup } from "./command_tree.ts";
import type { Context, Io } from "./context.ts";
import { examplesText } from "./examples.ts";
import { HELP_LAYOUT } from "./help.ts";
import { PROGRAM_FLAGS } from "./help_text.ts";
import { helpEnd, PROGRAM, versionText, widthOfHelp } from "./program_help.ts";
import { printText } from "./output/table.ts";
import { addGlobalFlags, GLOBAL_FLAGS, OUTPUT_FLAGS } from "./flags/flags.ts";
import { helpArguments, usageError } from "./flags/usage.ts";
import { runtimeText } from "../util/node/runtime.ts";

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
    const program = createProgram(context, { groups: !needsNoGroup(args) });
    if (await isCompletion(args, program, context)) return context.exitCode;
    // Elsewhere `-v` is the version; alone it must not start a server.
    const given = args.length === 1 && args[0] === "-v" ? ["--version"] : args;
    const words = helpArguments(program, withDefaultCommand(given));
    await program.parseAsync(words, { from: "user" });
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
export function createProgram(context: Context, choice: CommandChoice): Command {
  const { io } = context;
  const width = widthOfHelp(io.columns);
  const program = new Command(SERVER_NAME)
    .description(PROGRAM.about)
    .usage(PROGRAM.usage)
    .version(versionText(runtimeText(), process.versions.v8), ...PROGRAM_FLAGS.version)
    .helpOption(...PROGRAM_FLAGS.help)
    .helpCommand("help [command]", PROGRAM.helpCommand)
    .option(...PROGRAM_FLAGS.debug)
    .option(...PROGRAM_FLAGS.noColor)
    .addHelpText("after", () => helpEnd(width))
    .hook("preAction", async (_, command) => {
      context.io = await ioFor(context.io, command);
    })
    // Else the program's own --version would swallow the one of `rollback`.
    .enablePositionalOptions()
    .configureHelp(HELP_LAYOUT)
    .configureOutput({
      writeOut: (text) => printText(io, text),
      writeErr: (text) => io.err(text),
      // report() prints errors.
      outputError: () => {},
      getOutHelpWidth: () => width,
      getErrHelpWidth: () => width,
      getOutHasColors: () => io.color,
      getErrHasColors: () => false,
    });
  addCommands(program, choice);
  finish(program, context, width);
  return program;
}

/** Examples and errors that name the command; groups get the global flags here, commands when they are loaded. */
function finish(
  command: Command,
  context: Context,
  width: number,
  path: readonly string[] = [],
): void {
  command.exitOverride((error) => {
    throw usageError(command, error);
  });
  if (path.length > 0) {
    command.addHelpText("after", () => examplesText(path.join(" "), width));
  }
  if (command.commands.length === 0) return;
  if (path.length > 0) addGlobalFlags(command);
  command.hook("preSubcommand", (_, next) => loadCommand(next, context));
  for (const option of outputOptions()) command.addOption(option.hideHelp(path.length > 0));
  for (const child of command.commands) finish(child, context, width, [...path, child.name()]);
}

/** The program and its groups take the flags of every command too: `service -q stop web`. */
function outputOptions(): Option[] {
  return Object.entries(OUTPUT_FLAGS).map(([name, { short, help }]) =>
    new Option(`-${short}, --${name}`, help)
  );
}

/** The surroundings as the flags of `command` want them. */
async function ioFor(io: Io, command: Command): Promise<Io> {
  const { quiet, verbose } = command.optsWithGlobals<{ quiet?: boolean; verbose?: boolean }>();
  const wanted = { ...io, quiet: quiet === true, verbose: verbose === true };
  if (quiet && verbose) {
    throw new HarnessError("invalid_params", "Cannot use --quiet and --verbose together: omit one");
  }
  // The server has a log of its own.
  if (wanted.verbose && command.name() !== "serve") {
    const { configureLogging } = await import("./logging.ts");
    await configureLogging(wanted, { level: "debug", format: "text" });
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

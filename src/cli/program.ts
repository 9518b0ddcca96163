/**
 * The whole command line as one function, so that tests can run it in their own process.
 *
 * @module
 */
import { Command, Option } from "commander";
import process from "node:process";
import { HarnessError } from "../errors.ts";
import { PROTOCOL_VERSION, SUBPROTOCOL } from "../protocol/messages.ts";
import { SERVER_NAME, VERSION } from "../version.ts";
import { addCommands, loadCommand } from "./command_table.ts";
import type { Context, Io } from "./context.ts";
import { examplesText } from "./examples.ts";
import { exampleLines, HELP_LAYOUT } from "./help.ts";
import { wrapText } from "./output/text_layout.ts";
import { printText } from "./output/table.ts";
import { report } from "./output/report.ts";
import { addGlobalFlags, GLOBAL_FLAGS, OUTPUT_FLAGS } from "./flags/flags.ts";
import { helpArguments, usageError } from "./flags/usage.ts";
import { runtimeText } from "../util/node/runtime.ts";

const EXAMPLES: ReadonlyArray<[string, string?]> = [
  [SERVER_NAME, "serve on ws://127.0.0.1:8080"],
  [`${SERVER_NAME} package build ./my-service`, "make a package"],
  [`${SERVER_NAME} deploy my-service-1.0.0.tar.gz --host deploy@web1`],
  [`${SERVER_NAME} services`, "what runs where"],
  [`${SERVER_NAME} rollback my-service`, "back to the last good version"],
];
const EXIT_CODES = "Exit codes: 0 ok, 1 failure, 2 usage, 3 partial, 4 unreachable, 5 timeout, " +
  "6 rolled back, 7 rollback failed, 8 locked, 130/143 interrupted.";

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
    const program = createProgram(context);
    if (await isCompletion(args, program, context)) return context.exitCode;
    // Elsewhere `-v` is the version; alone it must not start a server.
    const given = args.length === 1 && args[0] === "-v" ? ["--version"] : args;
    const words = helpArguments(program, withDefaultCommand(given));
    await program.parseAsync(words, { from: "user" });
    return context.exitCode;
  } catch (error) {
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

/** The program with all its commands; what a command does is loaded when it is named. */
export function createProgram(context: Context): Command {
  const { io } = context;
  const width = helpWidth(io);
  const program = new Command(SERVER_NAME)
    .description("Registry, deployment and control of services on plain Linux hosts.")
    .usage("[serve] [flags] | <command> [flags]")
    .version(versionText(), "-V, --version", "version of the program, protocol and runtime")
    .helpOption("-h, --help", "help, without side effects")
    .helpCommand("help [command]", "help for a command")
    .option("--debug", "show the stack trace of an error (env: HARNESS_DEBUG)")
    .option("--no-color", "no colour (env: NO_COLOR)")
    .addHelpText("after", exampleLines(EXAMPLES, width))
    .addHelpText("after", `\n${wrapText(EXIT_CODES, width).join("\n")}`)
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
  addCommands(program);
  finish(program, context, width);
  return program;
}

/** What every command has: examples, errors that name it, and the global flags (main() reads them). */
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

/** Longer lines are hard to read, however wide the terminal is. */
function helpWidth(io: Io): number {
  return Math.min(100, io.columns);
}

/** Puts `serve` in where no command is named: `harness-ws-server --listen …` serves. */
export function withDefaultCommand(args: readonly string[]): string[] {
  let at = 0;
  while (at < args.length && LEADING.includes(args[at] ?? "")) at++;
  const next = args[at];
  const named = next !== undefined && (!next.startsWith("-") || ANSWERED.includes(next));
  return named ? [...args] : [...args.slice(0, at), "serve", ...args.slice(at)];
}

function versionText(): string {
  return `${SERVER_NAME} ${VERSION} (protocol ${SUBPROTOCOL} version ${PROTOCOL_VERSION}, ` +
    `${runtimeText()}, v8 ${process.versions.v8})`;
}

function truthy(value: string | undefined): boolean {
  return value !== undefined && !["0", "false", "no", "off"].includes(value.toLowerCase());
}

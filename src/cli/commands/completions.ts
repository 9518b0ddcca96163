/**
 * `completions`: shell completion scripts, and the hidden `complete` that they call.
 *
 * @module
 */
import { Argument, type Command } from "commander";
import type { RootCommand } from "@bomb.sh/tab";
import { visible } from "../../util/terminal_text.ts";
import { readFlags } from "../flags/flags.ts";
import { CLI_COMPLETION_TIMEOUT_MS, CLI_MAX_COMPLETIONS } from "../limits.ts";
import { CLIENT_FLAGS, serverAccess } from "../session/connect.ts";
import { SERVER_NAME } from "../../version.ts";
import { addHandler, type Context, type Io } from "../context.ts";

const SHELLS = ["bash", "zsh", "fish", "powershell"];

/** Declares `completions`. */
export function addCompletionsCommand(program: Command, context: Context): void {
  const command = program.command("completions")
    .description("print a completion script for a shell")
    .addArgument(new Argument("<shell>").choices(SHELLS));
  addHandler(context, command, async (_flags, shell = "") => {
    const { script } = await import("@bomb.sh/tab");
    script(shell as "bash", SERVER_NAME, SERVER_NAME);
  });
}

/**
 * The handler of `complete -- <words>`, which completion scripts call; `null` for other commands.
 *
 * It is no command of the program, so that no typo reaches it and no help lists it.
 */
export function completionCommand(
  args: readonly string[],
): ((program: Command, io: Io) => Promise<void>) | null {
  if (args[0] !== "complete" || args[1] !== "--") return null;
  return async (program, io) => {
    const { default: describe } = await import("@bomb.sh/tab/commander");
    const words = args.slice(2);
    // tab adds commands of its own under these names: they are not offered.
    const root = describe(program, { completionCommandName: "completions-of-tab" });
    root.commands.delete("completions-of-tab");
    root.commands.delete("complete");
    await addDynamicNames(root, words, io);
    root.parse(words);
  };
}

/** First words of commands that take a service, and those that take a deployment. */
const SERVICE_COMMANDS = ["service", "services", "resolve", "rollback", "watch"];
const DEPLOYMENT_COMMANDS = ["deployments"];

/**
 * Completes the arguments of commands about services and deployments with the names that a server has. Best effort:
 * nothing is offered when no server responds.
 */
async function addDynamicNames(
  root: RootCommand,
  words: readonly string[],
  io: Io,
): Promise<void> {
  const first = words[0] ?? "";
  const services = SERVICE_COMMANDS.includes(first) && words.length > 1;
  const deployments = DEPLOYMENT_COMMANDS.includes(first) && words.length > 2;
  // A flag is being completed, or its value.
  if ((!services && !deployments) || words.at(-1)?.startsWith("-")) return;
  const names = await ask(io, services).catch(() => [] as string[]);
  for (const [path, command] of root.commands) {
    if (path.split(" ")[0] !== first) continue;
    for (const argument of command.arguments.values()) {
      argument.handler ??= (complete) => {
        for (const name of names) complete(name, services ? "service" : "deployment");
      };
    }
  }
}

async function ask(io: Io, services: boolean): Promise<string[]> {
  const flags = readFlags(CLIENT_FLAGS, {}, io);
  const { token, url } = await serverAccess(io, flags);
  const { RegistryClient } = await import("../../client/mod.ts");
  await using client = await RegistryClient.connect(url, {
    ...(token === null ? {} : { token }),
    connectTimeoutMs: CLI_COMPLETION_TIMEOUT_MS,
    reconnect: false,
  });
  const options = { timeoutMs: CLI_COMPLETION_TIMEOUT_MS };
  const names = services
    ? (await client.listServices({}, options)).map((entry) => entry.id)
    : (await client.call("list_deployments", { limit: CLI_MAX_COMPLETIONS }, options))
      .map((deployment) => deployment.deployment_id);
  // A shell inserts them into its command line: only plain names.
  return names.filter((name) => /^\w/.test(name) && visible(name) === name).slice(
    0,
    CLI_MAX_COMPLETIONS,
  );
}

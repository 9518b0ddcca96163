/**
 * Names of live services and deployments for shell completion.
 *
 * @module
 */
import type { RootCommand } from "@bomb.sh/tab";
import { RegistryClient } from "../../client/mod.ts";
import { visible } from "../../util/terminal_text.ts";
import { CLI_COMPLETION_TIMEOUT_MS, CLI_MAX_COMPLETIONS } from "../limits.ts";
import { CLIENT_FLAGS, serverAccess } from "../session/connect.ts";
import { readFlags } from "./flags.ts";
import type { Io } from "../context.ts";

/** First words of commands that take a service, and those that take a deployment. */
const SERVICE_COMMANDS = ["service", "services", "resolve", "rollback", "watch"];
const DEPLOYMENT_COMMANDS = ["deployments"];

/**
 * Makes the arguments of commands about services and deployments complete with what a server knows. Asks
 * nothing for other commands, and offers nothing when no server answers.
 */
export async function addLiveNames(
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
  // A shell puts them into its line: nothing that is not plainly a name.
  return names.filter((name) => /^\w/.test(name) && visible(name) === name).slice(
    0,
    CLI_MAX_COMPLETIONS,
  );
}

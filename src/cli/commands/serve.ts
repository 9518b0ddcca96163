/**
 * `serve`: declares the command; run_server.ts, loaded on demand, runs it.
 *
 * @module
 */
import type { Command } from "../command_line/command.ts";
import { addHandler, type Context } from "../context.ts";
import {
  addFlags,
  type ConfigValue,
  fileFlag,
  type FlagTable,
  type NamedFile,
  readFlags,
} from "../flags/flags.ts";
import { CLIENT_TOKEN_FILE, LIMIT_FLAGS, SERVE_FLAGS } from "../flags/serve_flags.ts";
import { SSH_FLAGS } from "../flags/ssh_flags.ts";

const CONFIG_FLAG = {
  config: fileFlag({
    value: "file.yaml",
    env: "HARNESS_CONFIG",
    help: "read flags from a file; its keys are their names",
  }),
};

/** Declares the command. */
export function declareServe(command: Command, context: Context): void {
  addFlags(command, CONFIG_FLAG);
  addFlags(command, SERVE_FLAGS);
  addFlags(command, SSH_FLAGS, "SSH to the hosts:");
  addFlags(command, LIMIT_FLAGS, "Limits:");
  addHandler(context, command, (given) => serveCommand(context, given as Record<string, unknown>));
}

async function serveCommand(context: Context, given: Record<string, unknown>): Promise<number> {
  const { io } = context;
  const { config: file } = readFlags(CONFIG_FLAG, given, io);
  const table = { ...SERVE_FLAGS, ...SSH_FLAGS, ...LIMIT_FLAGS };
  const config = await readConfig(file, table);
  // The client commands' variable does not override the server's own setting.
  const env = (name: string) =>
    name === CLIENT_TOKEN_FILE && config.has("token-file") ? undefined : io.env(name);
  const sources = { env, config };
  const flags = {
    serve: readFlags(SERVE_FLAGS, given, sources),
    ssh: readFlags(SSH_FLAGS, given, sources),
    limits: readFlags(LIMIT_FLAGS, given, sources),
  };
  const { runServer } = await import("../server_process/run_server.ts");
  return await runServer(io, flags);
}

/** The values of the config file. YAML is loaded only where there is one. */
async function readConfig(
  file: NamedFile | null,
  table: FlagTable,
): Promise<Map<string, ConfigValue>> {
  if (file === null) return new Map();
  const { readConfigFile } = await import("../flags/config_file.ts");
  return await readConfigFile(file, table);
}

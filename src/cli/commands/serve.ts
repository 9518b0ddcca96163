/**
 * `serve`: declares the command; run_server.ts, loaded on demand, runs it.
 *
 * @module
 */
import type { Command } from "commander";
import { addHandler, type Context } from "../context.ts";
import { readConfigFile } from "../flags/config_file.ts";
import { addFlags, fileFlag, readFlags } from "../flags/flags.ts";
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
export function addServeCommand(program: Command, context: Context): void {
  const command = program.command("serve")
    .description("start the server (the default command)")
    .allowExcessArguments(false);
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
  const config = file === null ? new Map() : await readConfigFile(file, table);
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

/**
 * The limit of open descriptors, asked from a child, which inherits it: Deno reads nothing below /proc without all
 * permissions, and macOS has no /proc.
 *
 * @module
 */
import { isGranted, runtimeName } from "./runtime.ts";

const ASK = ["-c", "ulimit -n"];

/** The soft limit of this process. `null` where there is none, or no shell that may be asked. */
export async function askDescriptorLimit(): Promise<number | null> {
  const answer = await (runtimeName() === "deno" ? askOnDeno() : askOnNode()).catch(() => "");
  const limit = Number(answer);
  return limit > 0 ? limit : null; // NaN for "unlimited"
}

/** Without `node:child_process`, which takes 25 ms of the event loop the first time; this takes 4 ms. */
async function askOnDeno(): Promise<string> {
  if (!isGranted({ name: "run", command: "sh" })) return "";
  const command = new Deno.Command("sh", {
    args: ASK,
    // Without the variables of the loader: Deno starts nothing that gets LD_LIBRARY_PATH.
    clearEnv: true,
    env: isGranted({ name: "env", variable: "PATH" }) ? { PATH: Deno.env.get("PATH") ?? "" } : {},
    stdin: "null",
    stderr: "null",
  });
  return new TextDecoder().decode((await command.output()).stdout);
}

async function askOnNode(): Promise<string> {
  const { execFile } = await import("node:child_process");
  return await new Promise((resolve, reject) => {
    execFile("sh", ASK, (error, stdout) => error === null ? resolve(stdout) : reject(error));
  });
}

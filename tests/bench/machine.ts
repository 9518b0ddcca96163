/** What the figures were measured on. */
import os from "node:os";

/** The machine in words and apart. */
export interface Machine {
  readonly text: string;
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly deno: string;
  readonly disk: string;
  readonly commit: string;
}

async function output(command: string, ...args: string[]): Promise<string> {
  try {
    const { success, stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).trim() : "";
  } catch {
    return "";
  }
}

/** Describes this machine, and the file system of a directory. */
export async function machine(dir?: string): Promise<Machine> {
  const cpu = os.cpus()[0]?.model.trim() ?? "unknown processor";
  const cores = os.availableParallelism();
  const kernel = `${os.type()} ${os.release()}`;
  const deno = Deno.version.deno;
  const at = dir ?? Deno.env.get("TMPDIR") ?? "/tmp";
  const disk = await output("stat", "-f", "-c", "%T", at) || "unknown";
  const commit = await output("git", "rev-parse", "--short", "HEAD") || "unknown";
  const memory = Math.round(os.totalmem() / 2 ** 30);
  const date = new Date().toISOString().slice(0, 10);
  const text = `${date}, commit ${commit}, ${cpu}, ${cores} cores, ${memory} GiB, ${kernel}, ` +
    `${disk} file system, Deno ${deno}.`;
  return { text, cpu, cores, kernel, deno, disk, commit };
}

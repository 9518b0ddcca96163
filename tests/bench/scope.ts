/**
 * What a run of the bench has started and made, ended with it: also when it is interrupted.
 *
 * Every process below this one counts, whoever started it, and every directory that was made for temporary files:
 * `TMPDIR` is one of the bench's own.
 */
import { removeTree } from "../helpers/remove_tree.ts";
import type { Tool } from "./row.ts";

/** A process of the bench. */
export interface Running extends AsyncDisposable {
  readonly pid: number;
  /** Its first line on stdout. */
  readonly line: string;
}

/** Directories and programs of one run. */
export class Scope implements AsyncDisposable {
  /** Holds everything; removed at the end. */
  readonly dir: string;
  /** Aborted when the run is interrupted. */
  readonly signal: AbortSignal;
  #next = 0;

  private constructor(dir: string, signal: AbortSignal) {
    this.dir = dir;
    this.signal = signal;
  }

  /** Makes the directory, and makes it the one for temporary files of this process and its children. */
  static async open(signal: AbortSignal, root?: string): Promise<Scope> {
    const dir = await Deno.makeTempDir({
      prefix: "harness-bench-",
      ...(root === undefined ? {} : { dir: root }),
    });
    Deno.env.set("TMPDIR", dir);
    return new Scope(dir, signal);
  }

  /** A path in the directory that nobody else has. */
  path(name: string): string {
    return `${this.dir}/${this.#next++}-${name}`;
  }

  /** Whether programs are in `PATH`. */
  async has({ commands }: Tool): Promise<boolean> {
    const { success } = await new Deno.Command("sh", {
      args: ["-c", 'for one; do command -v "$one" || exit; done', "sh", ...commands],
      stdout: "null",
    }).output();
    return success;
  }

  /** Runs a program to its end; fails with what it wrote on stderr. */
  async run(
    command: string,
    args: readonly string[],
    options: Deno.CommandOptions = {},
  ): Promise<string> {
    this.signal.throwIfAborted();
    const { success, code, stdout, stderr } = await new Deno.Command(command, {
      stdin: "null",
      ...options,
      args: [...args],
    }).output();
    this.signal.throwIfAborted();
    const said = new TextDecoder().decode(stderr).trim();
    if (!success) throw new Error(`${command} ended with ${code}: ${said.slice(-600)}`);
    return new TextDecoder().decode(stdout);
  }

  /** Starts a server and waits for its first line on stdout. What it writes on stderr is shown if it ends first. */
  async start(
    command: string,
    args: readonly string[],
    options: Pick<Deno.CommandOptions, "env" | "cwd"> = {},
  ): Promise<Running> {
    this.signal.throwIfAborted();
    const log = this.path("stderr");
    // By a shell: nobody has to read the log while the server runs, and a full pipe stops nobody.
    const child = new Deno.Command("sh", {
      args: ["-c", 'log="$1"; shift; exec "$@" 2> "$log"', "sh", log, command, ...args],
      stdin: "null",
      stdout: "piped",
      ...options,
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("\n")) {
      const { done, value } = await reader.read();
      if (done) {
        const { code } = await child.status;
        const said = (await Deno.readTextFile(log)).trim();
        throw new Error(`${command} ${args.join(" ")} ended with ${code}: ${said.slice(-600)}`);
      }
      text += value;
    }
    // Read on, so that the server never waits for us.
    const rest = (async () => {
      while (!(await reader.read()).done);
    })();
    return {
      pid: child.pid,
      line: text.split("\n")[0] ?? "",
      async [Symbol.asyncDispose]() {
        try {
          child.kill("SIGTERM");
        } catch {
          // Ended already.
        }
        const timer = setTimeout(() => child.kill("SIGKILL"), 8000);
        await child.status;
        clearTimeout(timer);
        await rest;
      },
    };
  }

  /** Ends what still runs and removes the directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await killDescendants(this.dir);
    await removeTree(this.dir);
  }
}

/** Kills every process below this one, and with `dir` services that were deployed into it: they are nobody's child. */
export async function killDescendants(dir?: string): Promise<void> {
  const args = ["-A", "-ww", "-o", "pid=,ppid=,args="];
  const ps = new Deno.Command("ps", { args, stderr: "null" });
  const { stdout } = await ps.output();
  const children = new Map<number, number[]>();
  const pids = [Deno.pid];
  for (const line of new TextDecoder().decode(stdout).trim().split("\n")) {
    const [pid = 0, parent = 0] = line.trim().split(/\s+/, 2).map(Number);
    if (dir !== undefined && line.includes(`${dir}/`) && pid !== Deno.pid) pids.push(pid);
    children.set(parent, [...children.get(parent) ?? [], pid]);
  }
  for (const pid of pids) pids.push(...children.get(pid) ?? []);
  for (const pid of pids.slice(1)) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // Ended meanwhile, such as `ps` itself.
    }
  }
}

/** Memory that a process holds, in bytes: its resident set, as Linux and `ps` count it. */
export async function memoryOf(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "rss=", "-p", String(pid)] })
    .output();
  return Number(new TextDecoder().decode(stdout)) * 1024;
}

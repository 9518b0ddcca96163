/**
 * Runs the real program as a child process, as a user's shell would.
 */
import { PERMISSIONS } from "../../.ci/compile.ts";
import type { Command } from "../../src/cli/command_line/command.ts";
import { loadCommand } from "../../src/cli/command_tree.ts";
import type { Io } from "../../src/cli/context.ts";
import { createProgram, main } from "../../src/cli/program.ts";
import { drawn } from "../../src/cli/output/styles.ts";
import { within } from "./raw_client.ts";
import { removeTree } from "./remove_tree.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;

/** How a run ended. */
export interface CliResult {
  /** Exit code. */
  code: number;
  /** What it printed. */
  stdout: string;
  /** What it said on the side. */
  stderr: string;
}

/** Options for {@linkcode runCli}. */
export interface CliOptions {
  /** Environment variables; those of the test process that begin with HARNESS_ are not passed on. */
  env?: Record<string, string>;
  /** Standard input. */
  stdin?: string;
  /** Working directory. */
  cwd?: string;
  /** Runs root without its right to read everything, by util-linux' setpriv; others have no such right. */
  ordinaryRights?: boolean;
  /** Limit of open files, soft and hard: `ulimit -n`. */
  openFiles?: number;
}

const WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"];

let runtimeDir: string | undefined;

/** A runtime directory for all programs of this test file: clients find the token of a server in it. */
function testRuntimeDir(): string {
  if (runtimeDir === undefined) {
    const dir = runtimeDir = Deno.makeTempDirSync({ prefix: "harness-run-" });
    globalThis.addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));
  }
  return runtimeDir;
}

/**
 * The variables that a program needs to run and to fetch its libraries. All others stay outside: `CI`, `TERM`,
 * `COLUMNS`, `SSH_AUTH_SOCK` or a token of whoever runs the tests would change what it does.
 */
const KEPT =
  /^(?:PATH|HOME|TMPDIR|LANG|LD_LIBRARY_PATH|DENO_.*|SSL_CERT_.*|NODE_EXTRA_CA_CERTS|npm_config_.*|.*_proxy)$/i;

/** The tester's environment without what could change a result. */
export function testerEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(Deno.env.toObject()).filter(([name]) => KEPT.test(name)),
  );
}

/** Deno's cache, for a program with another HOME: a test fetches no library again. */
export async function denoDir(): Promise<string> {
  const args = ["info", "--json"];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

function environment(extra: Record<string, string> = {}): Record<string, string> {
  return { ...testerEnvironment(), XDG_RUNTIME_DIR: testRuntimeDir(), ...extra };
}

/**
 * How the program is started: what {@linkcode runCli} runs, for helpers that start it in another way. With the
 * permissions it has for users: with all of them it reads files below /proc, which it cannot there.
 */
export function programCommand(
  args: readonly string[],
  options: CliOptions = {},
): { program: string; args: string[]; env: Record<string, string> } {
  const drop = options.ordinaryRights === true && Deno.uid() === 0 ? WITHOUT_RIGHTS : [];
  const bound = options.openFiles === undefined
    ? []
    : ["sh", "-c", 'ulimit -n "$0" && exec "$@"', `${options.openFiles}`];
  const [program = "", ...rest] = [
    ...bound,
    ...drop,
    Deno.execPath(),
    "run",
    ...PERMISSIONS,
    "--quiet",
    MAIN,
    ...args,
  ];
  return { program, args: rest, env: environment(options.env) };
}

function command(args: readonly string[], options: CliOptions): Deno.Command {
  const { program, args: rest, env } = programCommand(args, options);
  return new Deno.Command(program, {
    args: rest,
    clearEnv: true,
    env,
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
}

/** Runs the program to its end. */
export async function runCli(
  args: readonly string[],
  options: CliOptions = {},
): Promise<CliResult> {
  const child = command(args, options).spawn();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** An {@linkcode Io} that remembers what was written to it. */
export function recorder(env: Record<string, string> = {}): Io & { text: CliResult } {
  const text: CliResult = { code: 0, stdout: "", stderr: "" };
  const idle = new AbortController().signal;
  return {
    text,
    out: (more) => text.stdout += drawn(more),
    err: (more) => text.stderr += drawn(more),
    raw: (more) => text.stdout += more,
    readStdin: () => Promise.resolve(new Uint8Array()),
    env: (name) => env[name],
    interrupted: idle,
    nextInterrupt: () => idle,
    outputClosed: idle,
    outIsTerminal: false,
    screen: null,
    color: false,
    errColor: false,
    unicode: true,
    columns: 80,
    size: () => null,
    quiet: false,
    verbose: false,
    errColumns: null,
  };
}

/** Runs a command in this process: much faster, for commands that end before they do anything. */
export async function runHere(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<CliResult> {
  const io = recorder({ HOME: "/nonexistent", XDG_RUNTIME_DIR: testRuntimeDir(), ...env });
  const code = await main(args, io);
  return { ...io.text, code };
}

/** The program with the flags of all its commands, which it loads one by one. */
export async function wholeProgram(): Promise<Command> {
  const context = { io: recorder(), exitCode: 0, debug: false, json: false };
  const program = createProgram();
  const load = async (command: Command) => {
    await loadCommand(command, context);
    for (const child of command.commands) await load(child);
  };
  await load(program);
  return program;
}

/** A child process whose output can be waited for. */
export class RunningCli implements AsyncDisposable {
  /** What it printed so far. */
  stdout = "";
  /** What it said on the side so far. */
  stderr = "";
  readonly #child: Deno.ChildProcess;
  readonly #readers: Promise<void[]>;
  readonly #waiters = new Set<() => void>();
  /** Of its two streams, how many have not ended. */
  #open = 2;

  /** Starts it. */
  constructor(args: readonly string[], options: CliOptions = {}) {
    this.#child = command(args, options).spawn();
    this.#readers = Promise.all([
      this.#read(this.#child.stdout, (text) => this.stdout += text),
      this.#read(this.#child.stderr, (text) => this.stderr += text),
    ]);
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Waits until `test` is true of the output; fails when the process ends or the time is up. */
  async until(test: (cli: this) => boolean, timeoutMs = 120_000): Promise<void> {
    const printed = async () => {
      while (!test(this)) {
        if (this.#open === 0) throw new Error("ended before that was printed");
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#waiters.add(resolve);
        await promise;
        this.#waiters.delete(resolve);
      }
    };
    try {
      await within(timeoutMs, printed(), "that is printed");
    } catch (error) {
      const output = `stdout: ${this.stdout}\nstderr: ${this.stderr}`;
      throw new Error(`${error instanceof Error ? error.message : error};\n${output}`);
    }
  }

  /** Sends a signal. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for its end; fails, and kills it, when it does not end in time. */
  async end(timeoutMs = 120_000): Promise<CliResult> {
    const ended = Promise.all([this.#child.status, this.#readers]);
    try {
      const [{ code }] = await within(timeoutMs, ended, "the end of the process");
      return { code, stdout: this.stdout, stderr: this.stderr };
    } catch (error) {
      this.kill("SIGKILL");
      const output = `stdout: ${this.stdout}\nstderr: ${this.stderr}`;
      throw new Error(`${error instanceof Error ? error.message : error};\n${output}`);
    }
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.end();
  }

  async #read(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      take(text);
      for (const waiter of [...this.#waiters]) waiter();
    }
    this.#open -= 1;
    for (const waiter of [...this.#waiters]) waiter();
  }
}

/** A running server with a state directory of its own. */
export interface TestServer extends AsyncDisposable {
  /** The process. */
  cli: RunningCli;
  /** Its address. */
  url: string;
  /** Its state directory, removed at the end. */
  stateDir: string;
}

/** Starts `serve` on a free port and waits for its ready line. */
export async function startServer(
  args: readonly string[] = [],
  options: CliOptions & { stateDir?: string } = {},
): Promise<TestServer> {
  const own = options.stateDir === undefined;
  const stateDir = options.stateDir ?? await Deno.makeTempDir({ prefix: "harness-cli-" });
  const cli = new RunningCli(
    ["serve", "--listen", "127.0.0.1:0", "--state-dir", stateDir, ...args],
    options,
  );
  const dispose = async () => {
    await cli[Symbol.asyncDispose]();
    if (own) await removeTree(stateDir);
  };
  try {
    await cli.until((it) => it.stdout.includes("\n"));
    const url = /^harness-ws-server listening on (wss?:\/\/\S+)/.exec(cli.stdout)?.[1];
    if (url === undefined) throw new Error(`no ready line: ${cli.stdout}`);
    return { cli, url, stateDir, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

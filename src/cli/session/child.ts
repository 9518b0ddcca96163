/**
 * A child process that takes the place of this one: our standard streams, our signals, its exit code.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import process from "node:process";
import { isatty } from "node:tty";
import { HarnessError, messageOf } from "../../errors.ts";
import type { Io } from "../context.ts";

/** How a child ended. */
export interface ChildEnd {
  /** The exit code that a shell reports: its own, or 128 and the number of the signal. */
  readonly code: number;
  /** `exit code 3` or `ended by SIGKILL`. */
  readonly text: string;
}

/** Options for {@linkcode Child.start}. */
export interface ChildOptions {
  /** Program and arguments. */
  readonly argv: readonly string[];
  /** Variables that it gets besides ours. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables of ours that it does not get. */
  readonly without: readonly string[];
}

/** Signals that are passed on besides SIGINT and SIGTERM. */
const ALSO_PASSED = ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const;

/** Each is set by sh: under narrow permissions Deno starts nothing with such a variable. */
const LOADER_VARIABLE = /^(LD|DYLD)_/;

/** Sets the loader's variables, then becomes the program: the pid of sh is that of the child. */
const SCRIPT = 'while [ "$1" != -- ]; do export "$1"; shift; done; shift; exec "$@"';

/** A running child. */
export class Child {
  /** Its process id. */
  readonly pid: number;
  /** Resolves with how it ended. Never rejects. */
  readonly ended: Promise<ChildEnd>;
  readonly #child: ChildProcess;
  #isOver = false;

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child;
    this.pid = pid;
    this.ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#isOver = true;
        resolve(endOf(code, signal));
      });
    });
  }

  /**
   * Starts a program with our standard streams.
   *
   * A program that is not there ends with 127, one that cannot be executed with 126, as in a shell.
   *
   * @throws {HarnessError} `unavailable` when not even sh can be started.
   */
  static async start({ argv, env, without }: ChildOptions): Promise<Child> {
    const all = Object.entries({ ...process.env, ...env })
      .filter(([name, value]) => value !== undefined && !without.includes(name));
    const loader = all.filter(([name]) => LOADER_VARIABLE.test(name));
    const rest = all.filter(([name]) => !LOADER_VARIABLE.test(name));
    const set = loader.map(([name, value]) => `${name}=${value}`);
    const options = { stdio: "inherit", env: Object.fromEntries(rest) } as const;
    const child = process.platform === "win32"
      ? spawn(argv[0] ?? "", argv.slice(1), options)
      : spawn("sh", ["-c", SCRIPT, "sh", ...set, "--", ...argv], options);
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (error) =>
        reject(
          new HarnessError("unavailable", `Cannot start ${argv[0]}: ${messageOf(error)}`, {
            cause: error,
          }),
        ));
    });
    return new Child(child, child.pid ?? 0);
  }

  /** Sends it a signal; fine when it has ended. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.#isOver) return;
    if (process.platform === "win32") return void this.#child.kill(signal);
    // Not by kill() of the handle: on Deno that sends one signal only, and the end is then said to be that signal's.
    const args = ["-c", 'kill -s "$1" "$2" 2>/dev/null', "sh", signal.slice(3), `${this.pid}`];
    await new Promise((resolve) => {
      const sender = spawn("sh", args, { stdio: "ignore", env: plainEnv() });
      sender.once("error", resolve);
      sender.once("close", resolve);
    });
  }

  /** Waits for its end, and passes on every signal that this process gets meanwhile. */
  async whilePassingSignals(io: Io): Promise<ChildEnd> {
    const listeners = process.platform === "win32" ? [] : ALSO_PASSED.map((signal) => {
      const listener = () => void this.kill(signal);
      process.on(signal, listener);
      return () => process.off(signal, listener);
    });
    let isOver = false;
    let passing: Promise<unknown> = Promise.resolve();
    const pass = (signal: AbortSignal) => {
      signal.addEventListener("abort", () => {
        if (isOver) return;
        // At once: a signal that comes while none is waited for would end this process.
        pass(io.nextInterrupt());
        passing = passing.then(() => this.#passInterrupt(signal));
      }, { once: true });
    };
    pass(io.interrupted.aborted ? io.nextInterrupt() : io.interrupted);
    if (io.interrupted.aborted) passing = this.#passInterrupt(io.interrupted);
    try {
      return await this.ended;
    } finally {
      isOver = true;
      await passing;
      for (const remove of listeners) remove();
    }
  }

  async #passInterrupt({ reason }: AbortSignal): Promise<void> {
    const name = reason?.signalName === "SIGTERM" ? "SIGTERM" : "SIGINT";
    // The terminal has sent Ctrl-C to all of the foreground already: it must not arrive twice.
    if (name === "SIGTERM" || !await isInForeground()) await this.kill(name);
  }
}

function endOf(code: number | null, signal: NodeJS.Signals | null): ChildEnd {
  if (signal === null) return { code: code ?? 1, text: `exit code ${code}` };
  return { code: 128 + (constants.signals[signal] ?? 0), text: `ended by ${signal}` };
}

/** The environment of a helper: nothing that the loader would act on. */
function plainEnv(): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "" };
}

/** `stat` of our own process: Deno reads nothing below /proc without all permissions, but sh does. */
const STAT_SCRIPT = 'read -r line </proc/$PPID/stat && printf "%s" "$line"';

/** Whether this process belongs to the foreground of a terminal, which gets the terminal's Ctrl-C. */
async function isInForeground(): Promise<boolean> {
  const isTerminal = [0, 1, 2].some((fd) => isatty(fd));
  if (process.platform !== "linux") return isTerminal;
  const line = await new Promise<string>((resolve) => {
    let text = "";
    const stdio: ["ignore", "pipe", "ignore"] = ["ignore", "pipe", "ignore"];
    const reader = spawn("sh", ["-c", STAT_SCRIPT], { stdio, env: plainEnv() });
    reader.stdout?.on("data", (bytes) => text += String(bytes));
    reader.once("error", () => resolve(""));
    reader.once("close", () => resolve(text));
  });
  // After the name, which may hold anything: state, parent, group, session, terminal, foreground group.
  const [, , group, , , foreground] = line.slice(line.lastIndexOf(")") + 2).split(" ");
  return group === undefined ? isTerminal : group === foreground;
}

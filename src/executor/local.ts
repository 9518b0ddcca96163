/**
 * Commands on this machine, through `sh`, each in a process group of its own.
 *
 * Uses `node:child_process`, which Deno, Node and Bun all have, and starts nothing but `sh`: under Deno
 * `--allow-run=sh` is enough, also for killing a group.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { HarnessError, messageOf } from "../errors.ts";
import type { Command, Executor, RunOptions, RunResult } from "./executor.ts";
import { type Exit, type Process, runProcess } from "./run_process.ts";
import { commandName, killGroupText, shellText } from "./shell/shell_line.ts";

/** A process on this machine. */
class LocalProcess implements Process {
  readonly exited: Promise<Exit>;
  readonly closed: Promise<void>;
  readonly #child: ChildProcess & { stdin: Process["stdin"] };
  #gone = false;

  constructor(child: ChildProcess) {
    if (child.stdin === null) throw new TypeError("Cannot use a process without a stdin pipe");
    this.#child = child as ChildProcess & { stdin: Process["stdin"] };
    const exit = Promise.withResolvers<Exit>();
    const close = Promise.withResolvers<void>();
    child.once("exit", (code, signal) => {
      this.#gone = true;
      exit.resolve({ code, signal });
    });
    child.once("close", () => close.resolve());
    child.once("error", (error) => {
      exit.reject(spawnError(error));
      close.resolve();
    });
    exit.promise.catch(() => {});
    this.exited = exit.promise;
    this.closed = close.promise;
  }

  get stdin(): Process["stdin"] {
    return this.#child.stdin;
  }
  get stdout(): Process["stdout"] {
    return this.#child.stdout as Process["stdout"];
  }
  get stderr(): Process["stderr"] {
    return this.#child.stderr as Process["stderr"];
  }

  kill(): Promise<void> {
    const pid = this.#child.pid;
    if (pid === undefined) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const text = killGroupText(pid, { ownGroup: true, leaderGone: this.#gone });
    const killer = spawn("sh", ["-c", text], { stdio: "ignore" });
    killer.once("error", () => {
      // There is no sh any more: kill at least the process itself.
      this.#child.kill("SIGKILL");
      resolve();
    });
    killer.once("exit", () => resolve());
    return promise;
  }

  release(): void {
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream.destroy();
  }
}

function spawnError(error: unknown): HarnessError {
  return new HarnessError(
    "unavailable",
    `Cannot spawn sh on this machine: ${messageOf(error)}`,
    { cause: error },
  );
}

class LocalExecutor implements Executor {
  readonly host = "local";
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  async run(command: Command, options: RunOptions = {}): Promise<RunResult> {
    options.signal?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    const text = shellText(command, options);
    const process = new LocalProcess(start(text));
    const running = runProcess(process, {
      run: options,
      what: `${JSON.stringify(commandName(command))} on this machine`,
      closing: this.#closing.signal,
    });
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(
      new HarnessError("cancelled", "Cannot finish a command: the local executor was closed"),
    );
    await Promise.allSettled(this.#running);
  }
}

function start(text: string): ChildProcess {
  try {
    // detached: a session of its own, so that the whole group can be killed and a terminal's Ctrl-C
    // does not reach it.
    return spawn("sh", ["-c", text, "sh"], { detached: true, stdio: ["pipe", "pipe", "pipe"] });
  } catch (error) {
    throw spawnError(error);
  }
}

/**
 * Commands on this machine.
 *
 * @returns An executor whose `host` is `local`. Disposing it kills what still runs.
 *
 * @example Usage
 * ```ts
 * import assert from "node:assert/strict";
 * import { localExecutor } from "./local.ts";
 *
 * await using machine = localExecutor();
 * const result = await machine.run({ argv: ["printf", "%s", "it's here"] });
 * assert.deepEqual([result.exitCode, result.stdout], [0, "it's here"]);
 * ```
 */
export function localExecutor(): Executor {
  return new LocalExecutor();
}

/** An executor without processes: commands are functions, and `runProcess` treats them as it treats real ones. */
import { PassThrough, type Readable, type Writable } from "node:stream";
import { HarnessError } from "../../../src/errors.ts";
import type { Command, Executor, RunOptions, RunResult } from "../../../src/executor/executor.ts";
import { type Exit, type Process, runProcess } from "../../../src/executor/run_process.ts";
import { commandName, shellText } from "../../../src/executor/shell/shell_line.ts";

/** What a simulated command reads and writes. */
export interface Io {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Fires when the command is killed. */
  readonly killed: AbortSignal;
}

/** Runs a command to its exit code. */
export type Interpreter = (command: Command, io: Io) => Promise<number>;

class MemoryProcess implements Process {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly exited: Promise<Exit>;
  readonly closed: Promise<void>;
  readonly #kill = new AbortController();
  readonly #exit = Promise.withResolvers<Exit>();

  constructor(command: Command, interpret: Interpreter) {
    this.exited = this.#exit.promise;
    this.exited.catch(() => {});
    this.closed = this.exited.then(() => {}, () => {});
    const { stdin, stdout, stderr } = this;
    interpret(command, { stdin, stdout, stderr, killed: this.#kill.signal }).then(
      (code) => this.#end({ code, signal: null }),
      (error) => this.#exit.reject(error),
    );
  }

  kill(): Promise<void> {
    this.#kill.abort();
    this.#exit.resolve({ code: null, signal: "SIGKILL" });
    return Promise.resolve();
  }

  release(): void {
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream.destroy();
  }

  /** Like a pipe: what was written is read before the end is seen. */
  #end(exit: Exit): void {
    let open = 2;
    for (const stream of [this.stdout, this.stderr]) {
      stream.once("end", () => {
        if (--open === 0) this.#exit.resolve(exit);
      });
      stream.end();
    }
  }
}

/** An executor that gives every command to `interpret`. */
export class MemoryExecutor implements Executor {
  readonly host: string;
  readonly #interpret: Interpreter;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  constructor(host: string, interpret: Interpreter) {
    this.host = host;
    this.#interpret = interpret;
  }

  async run(command: Command, options: RunOptions = {}): Promise<RunResult> {
    options.signal?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    // The text is of no use here; what no command can receive is refused as everywhere.
    shellText(command, options);
    const running = runProcess(new MemoryProcess(command, this.#interpret), {
      run: options,
      what: `${JSON.stringify(commandName(command))} on ${this.host}`,
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
      new HarnessError("cancelled", "Cannot finish a command: the executor was closed"),
    );
    await Promise.allSettled(this.#running);
  }
}

/** All of a command's input. */
export async function readAll(stdin: Readable): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of stdin) chunks.push(chunk);
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** The programs that the contract of executors uses. */
export async function runProgram(argv: readonly string[], io: Io): Promise<number> {
  const [program = "", ...args] = argv;
  switch (program) {
    case "true":
      return 0;
    case "false":
      return 1;
    case "echo":
      io.stdout.write(`${args.join(" ")}\n`);
      return 0;
    case "printf":
      for (const arg of args.slice(1)) io.stdout.write((args[0] ?? "").replace("%s", () => arg));
      return 0;
    case "cat":
      for await (const chunk of io.stdin) {
        if (!io.stdout.write(chunk)) await new Promise((ok) => io.stdout.once("drain", ok));
      }
      return 0;
    case "head": {
      let left = Number(args[1]);
      for await (const chunk of io.stdin) {
        io.stdout.write(chunk.subarray(0, left));
        left -= Math.min(left, chunk.length);
        if (left === 0) break;
      }
      return 0;
    }
    case "sleep":
      await untilKilled(io);
      return 0;
    default:
      io.stderr.write(`sh: ${program}: not found\n`);
      return 127;
  }
}

/** Never resolves unless the command is killed. */
export function untilKilled(io: Io): Promise<void> {
  return new Promise((resolve) => io.killed.addEventListener("abort", () => resolve()));
}

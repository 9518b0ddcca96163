/** An executor with faults, around any other one: what a test needs to see of a host that misbehaves. */
import { HarnessError } from "../../src/errors.ts";
import type { Command, Executor, RunOptions, RunResult } from "../../src/executor/executor.ts";
import { commandName } from "../../src/executor/shell/shell_line.ts";

/**
 * What happens to a command: it hangs, the connection breaks before it begins or before its answer comes, or it does
 * nothing but end with an exit code and a text on stderr.
 */
export type Fault = "hang" | "cut" | "lose_answer" | readonly [exitCode: number, stderr: string];

/** Decides what happens to a command by its name; `count` counts the commands of this executor from 0. */
export type Faults = (name: string, count: number) => Fault | undefined;

/** An executor whose commands fail as `faults` says; the rest is done by `inner`. */
export class FaultyExecutor implements Executor {
  readonly #inner: Executor;
  readonly #faults: Faults;
  readonly #closing = new AbortController();
  #count = 0;
  #broken: HarnessError | null = null;

  constructor(inner: Executor, faults: Faults) {
    this.#inner = inner;
    this.#faults = faults;
  }

  get host(): string {
    return this.#inner.host;
  }

  async run(command: Command, options: RunOptions = {}): Promise<RunResult> {
    if (this.#broken !== null) throw this.#broken;
    const fault = this.#faults(commandName(command), this.#count++);
    options.signal?.throwIfAborted();
    if (fault === undefined) return await this.#inner.run(command, options);
    if (fault === "hang") return await hang(this.#closing.signal, options);
    if (fault === "lose_answer") await this.#inner.run(command, options);
    if (typeof fault !== "string") {
      const [exitCode, stderr] = fault;
      return { exitCode, signal: null, stdout: "", stderr, truncated: false, durationMs: 0 };
    }
    this.#broken = new HarnessError("unreachable", `Cannot run on ${this.host}: it broke`, {
      details: { host: this.host, step: "run", reason: "reset" },
    });
    throw this.#broken;
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    this.#closing.abort(new HarnessError("cancelled", "Cannot finish a command: it was closed"));
    return this.#inner[Symbol.asyncDispose]();
  }
}

async function hang(closing: AbortSignal, { signal, timeoutMs }: RunOptions): Promise<never> {
  using stack = new DisposableStack();
  const { promise, reject } = Promise.withResolvers<never>();
  for (const source of [closing, ...signal ? [signal] : []]) {
    const abort = () => reject(source.reason);
    source.addEventListener("abort", abort, { once: true });
    stack.defer(() => source.removeEventListener("abort", abort));
  }
  const late = () => reject(new HarnessError("timeout", `still running after ${timeoutMs} ms`));
  const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
  stack.defer(() => clearTimeout(timer));
  return await promise;
}

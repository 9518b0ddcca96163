/**
 * Two connections to one machine, for a server that bears no two commands on one.
 *
 * dropbear 2022.82 to 2024.85 takes the end of a process for the end of every channel whose command was not asked for
 * yet, and ends the connection by a failed assertion (https://github.com/mkj/dropbear/issues/321): a command that
 * begins while another one ends takes both down.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { HarnessError, messageOf } from "../../errors.ts";
import type { Command, Executor, RunOptions, RunResult } from "../executor.ts";

/** Runs a command on the first connection where that is free, and else on a second one, made when it is needed. */
export class SshPair implements Executor {
  readonly host: string;
  readonly #first: Executor;
  readonly #connect: (signal: AbortSignal) => Promise<Executor>;
  readonly #closing = new AbortController();
  readonly #lost: Executor[] = [];
  #second: Promise<Executor> | null = null;
  #running = 0;

  /** Takes over the first connection; `connect` makes the second. Each runs one command at a time. */
  constructor(first: Executor, connect: (signal: AbortSignal) => Promise<Executor>) {
    this.host = first.host;
    this.#first = first;
    this.#connect = connect;
  }

  async run(command: Command, options: RunOptions = {}): Promise<RunResult> {
    if (this.#running > 0) return await this.#runBeside(command, options);
    this.#running += 1;
    try {
      return await this.#first.run(command, options);
    } finally {
      this.#running -= 1;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(
      new HarnessError("cancelled", `Cannot go on with ${this.host}: the connection was closed`),
    );
    const second = await this.#second?.catch(() => null);
    const all = [this.#first, ...this.#lost, ...(second ? [second] : [])];
    await Promise.all(all.map((one) => one[Symbol.asyncDispose]()));
  }

  async #runBeside(command: Command, options: RunOptions): Promise<RunResult> {
    const asked = this.#second ??= this.#connect(this.#closing.signal);
    let second: Executor;
    try {
      second = await asked;
    } catch (error) {
      if (this.#second === asked) this.#second = null;
      this.#closing.signal.throwIfAborted();
      getLogger(["harness", "executor"]).info("Waits for the connection to {host}: {why}", {
        host: this.host,
        why: messageOf(error),
      });
      return await this.#first.run(command, options);
    }
    try {
      return await second.run(command, options);
    } catch (error) {
      // It may be gone: the next one gets another.
      if (error instanceof HarnessError && error.code === "unreachable" && this.#second === asked) {
        this.#second = null;
        this.#lost.push(second);
      }
      throw error;
    }
  }
}

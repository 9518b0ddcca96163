/**
 * Runs one command at a time on a connection to dropbear, and further ones on a second connection; a background command
 * has one of its own.
 *
 * dropbear 2022.82 to 2024.85 takes the exit of one process for the exit of every channel whose command has not been
 * requested yet, and fails an assertion: a command that starts while another one ends takes the connection down.
 *
 * Upstream: https://github.com/mkj/dropbear/issues/321.
 * Remove when: no supported distribution ships dropbear 2024.85 or older.
 *
 * @module
 */
import { getLogger } from "../../../util/log.ts";
import { HarnessError, messageOf } from "../../../errors.ts";
// @ts-types="@types/ssh2"
import type { Client } from "ssh2";
import type { Command, Executor, RunOptions, RunResult } from "../../executor.ts";
import { serverSoftware } from "../server_software.ts";

/** Whether the server is dropbear. */
export function isDropbear(client: Client | undefined): boolean {
  return serverSoftware(client).startsWith("dropbear");
}

/** Runs a command on the first connection when that is idle, else on a second one, which is opened when needed. */
export class SerialSshExecutor implements Executor {
  readonly host: string;
  readonly #first: Executor;
  readonly #connect: (signal: AbortSignal) => Promise<Executor>;
  readonly #closing = new AbortController();
  readonly #lost: Executor[] = [];
  readonly #apart = new Set<Executor>();
  #second: Promise<Executor> | null = null;
  #running = 0;

  /** Takes over the first connection; `connect` makes the second. Each runs one command at a time. */
  constructor(first: Executor, connect: (signal: AbortSignal) => Promise<Executor>) {
    this.host = first.host;
    this.#first = first;
    this.#connect = connect;
  }

  async run(command: Command, options: RunOptions = {}): Promise<RunResult> {
    if (options.onCrowded !== undefined) return await this.#runApart(command, options);
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
    const all = [this.#first, ...this.#lost, ...this.#apart, ...(second ? [second] : [])];
    await Promise.all(all.map((one) => one[Symbol.asyncDispose]()));
  }

  /** Runs a background command on a connection of its own: it would occupy one of the two for good. */
  async #runApart(command: Command, options: RunOptions): Promise<RunResult> {
    const closing = this.#closing.signal;
    const { signal } = options;
    const own = await this.#connect(signal ? AbortSignal.any([closing, signal]) : closing);
    this.#apart.add(own);
    try {
      return await own.run(command, options);
    } finally {
      this.#apart.delete(own);
      await own[Symbol.asyncDispose]();
    }
  }

  async #runBeside(command: Command, options: RunOptions): Promise<RunResult> {
    const asked = this.#second ??= this.#connect(this.#closing.signal);
    let second: Executor;
    try {
      second = await asked;
    } catch (error) {
      if (this.#second === asked) this.#second = null;
      this.#closing.signal.throwIfAborted();
      getLogger(["harness", "executor"]).info(
        "No second connection to {host}, waiting for the first: {why}",
        {
          host: this.host,
          why: messageOf(error),
        },
      );
      return await this.#first.run(command, options);
    }
    try {
      return await second.run(command, options);
    } catch (error) {
      // It may be broken: the next command opens another one.
      if (error instanceof HarnessError && error.code === "unreachable" && this.#second === asked) {
        this.#second = null;
        this.#lost.push(second);
      }
      throw error;
    }
  }
}

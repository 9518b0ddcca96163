/**
 * The end of the terminal, for commands that have something to put back.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";

const SIGHUP_BIT = 1n << 0n;

/** Fires when the terminal is closed. Under `nohup` it never does. */
export class Hangup implements Disposable {
  readonly #controller = new AbortController();
  readonly #listener = () => this.#controller.abort();
  readonly #listens = process.platform !== "win32" && !isIgnored();

  /** Starts listening: SIGHUP no longer ends the process. */
  constructor() {
    if (this.#listens) process.on("SIGHUP", this.#listener);
  }

  /** Fires at SIGHUP. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Stops listening. */
  [Symbol.dispose](): void {
    if (this.#listens) process.off("SIGHUP", this.#listener);
  }
}

/** Whether this process was started with SIGHUP ignored; where that cannot be read, as if it were not. */
function isIgnored(): boolean {
  try {
    const status = readFileSync("/proc/self/status", "utf8");
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
    return (BigInt(`0x${mask}`) & SIGHUP_BIT) !== 0n;
  } catch {
    return false;
  }
}

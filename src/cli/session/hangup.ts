/**
 * The end of the terminal, for commands that have something to put back.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import process from "node:process";

const SIGHUP_BIT = 1n << 0n;

/** Deno reads nothing below /proc without all permissions, but sh does. */
const SCRIPT = 'cat "/proc/$1/status"';

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
  const args = ["-c", SCRIPT, "sh", `${process.pid}`];
  const env = { PATH: process.env["PATH"] ?? "" };
  const { stdout } = spawnSync("sh", args, { env, encoding: "utf8" });
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(stdout ?? "")?.[1] ?? "0";
  return (BigInt(`0x${mask}`) & SIGHUP_BIT) !== 0n;
}

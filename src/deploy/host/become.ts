/**
 * Runs the commands of an executor as root through `sudo -n`.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import type { Command, Executor, RunOptions, RunResult } from "../../executor/executor.ts";
import { DEPLOY_COMMAND_TIMEOUT_MS } from "../limits.ts";

/** Runs every command of `executor` as root; disposing it disposes `executor`. */
export function sudoExecutor(executor: Executor): Executor {
  return new SudoExecutor(executor);
}

/** Checks that sudo works without a password. */
export async function checkSudo(executor: Executor, signal: AbortSignal): Promise<void> {
  const result = await executor.run(
    { argv: ["sudo", "-n", "--", "true"] },
    { timeoutMs: DEPLOY_COMMAND_TIMEOUT_MS, signal },
  );
  if (result.exitCode === 0) return;
  throw new HarnessError(
    "deploy_failed",
    `Cannot become root on ${executor.host}: ${
      result.stderr.trim() || "sudo does not work"
    }; allow this user to use sudo without a password (NOPASSWD)`,
    { details: { reason: "sudo", exit_code: result.exitCode } },
  );
}

class SudoExecutor implements Executor {
  readonly #executor: Executor;

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  get host(): string {
    return this.#executor.host;
  }

  run(command: Command, options: RunOptions = {}): Promise<RunResult> {
    const { env, ...rest } = options;
    // sudo drops the environment, so variables are set after it.
    const words = Object.entries(env ?? {}).map(([key, value]) => `${key}=${value}`);
    const inner = "argv" in command
      ? command.argv
      : ["sh", "-c", command.script, "sh", ...command.args ?? []];
    const prefix = words.length === 0 ? [] : ["env", ...words];
    return this.#executor.run({ argv: ["sudo", "-n", "--", ...prefix, ...inner] }, rest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#executor[Symbol.asyncDispose]();
  }
}

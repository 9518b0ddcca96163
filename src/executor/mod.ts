/**
 * Run commands on this machine or over SSH, with the same interface.
 *
 * @example Run a command
 * ```ts
 * import assert from "node:assert/strict";
 * import { localExecutor } from "@harness/service-registry/executor";
 *
 * await using executor = localExecutor();
 * const { stdout } = await executor.run({ script: 'echo "hello $1"', args: ["you"] });
 * assert.equal(stdout, "hello you\n");
 * ```
 *
 * @module
 */
export type { Command, Executor, RunOptions, RunResult, Stdin } from "./executor.ts";
export { localExecutor } from "./local.ts";
export { quote, quoteWord } from "./shell/quote.ts";
export { connectSsh } from "./ssh/connect.ts";
export type { HostKeyPolicy, SshOptions, SshTarget } from "./ssh/types.ts";
export { HOST_KEY_POLICIES } from "./ssh/types.ts";

/** A server that takes one session at a time: what a caller gives up is given up at once. */
import assert from "node:assert/strict";
import type { Executor } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { SerialSshExecutor } from "../../src/executor/ssh/workarounds/dropbear.ts";

Deno.test("SerialSshExecutor: a cancel ends a connect for one command", async () => {
  const begun = Promise.withResolvers<void>();
  const connect = (signal: AbortSignal) =>
    new Promise<Executor>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      begun.resolve();
    });
  await using executor = new SerialSshExecutor(localExecutor(), connect);
  const stop = new AbortController();
  const running = executor.run({ argv: ["true"] }, { onCrowded() {}, signal: stop.signal });
  await begun.promise;
  stop.abort(new Error("not needed"));
  await assert.rejects(running, /not needed/);
});

/**
 * The entry of the program `harness-ws-server`: see docs/cli.md.
 *
 * @module
 */
import { answered, cannotLoad } from "./front.ts";

/** Runs the command line of this process and ends it. */
export async function run(): Promise<void> {
  if (answered()) return;
  const { runProcess } = await import("./process.ts").catch(cannotLoad);
  await runProcess();
}

if (import.meta.main) await run();

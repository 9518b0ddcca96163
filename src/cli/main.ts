/**
 * The entry of the program `harness-ws-server`: see docs/cli.md.
 *
 * @module
 */
import process from "node:process";
import { messageOf } from "../errors.ts";
import { SERVER_NAME } from "../version.ts";
import { EXIT } from "./exit_codes.ts";
import { Interrupted, type Io, systemIo, tell } from "./context.ts";
import { main } from "./program.ts";

/** A second signal ends the program at once. */
function listenForSignals(): AbortSignal {
  const controller = new AbortController();
  for (
    const [name, code] of [["SIGINT", EXIT.interrupted], ["SIGTERM", EXIT.terminated]] as const
  ) {
    // Windows knows no SIGTERM.
    if (process.platform === "win32" && name === "SIGTERM") continue;
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(code);
      controller.abort(new Interrupted(name));
    });
  }
  return controller.signal;
}

/** The surroundings of this process, or `null` where Deno's permissions do not allow even that. */
function surroundings(): Io | null {
  try {
    return systemIo(listenForSignals());
  } catch (error) {
    tell(`${SERVER_NAME}: Cannot start: ${messageOf(error)} [forbidden]\n`);
    return null;
  }
}

/** Runs the command line of this process and ends it. */
export async function run(): Promise<never> {
  const io = surroundings();
  process.exit(io === null ? EXIT.failure : await main(process.argv.slice(2), io));
}

if (import.meta.main) await run();

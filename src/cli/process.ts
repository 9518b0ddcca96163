/**
 * The process that a command runs in: its signals, its surroundings, its end.
 *
 * @module
 */
import process from "node:process";
import { messageOf } from "../errors.ts";
import { SERVER_NAME } from "../version.ts";
import { EXIT } from "./exit_codes.ts";
import { Interrupted, type Interruptions, type Io, systemIo, tell } from "./context.ts";
import { main } from "./program.ts";

const SIGNALS = [["SIGINT", EXIT.interrupted], ["SIGTERM", EXIT.terminated]] as const;

/** The first signal interrupts the command, another one ends the program unless the command waits for it. */
function listenForSignals(): Interruptions {
  const first = new AbortController();
  let next: AbortController | null = null;
  for (const [name, code] of SIGNALS) {
    // Windows knows no SIGTERM.
    if (process.platform === "win32" && name === "SIGTERM") continue;
    process.on(name, () => {
      const waiting = first.signal.aborted ? next : first;
      if (waiting === null) process.exit(code);
      if (waiting === next) next = null;
      waiting.abort(new Interrupted(name));
    });
  }
  const nextInterrupt = () => (next = new AbortController()).signal;
  return { interrupted: first.signal, nextInterrupt };
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
export async function runProcess(): Promise<never> {
  const io = surroundings();
  process.exit(io === null ? EXIT.failure : await main(process.argv.slice(2), io));
}

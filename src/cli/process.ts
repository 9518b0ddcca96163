/**
 * The process that a command runs in: its signals, its surroundings, its end.
 *
 * @module
 */
import { messageOf } from "../errors.ts";
import { SERVER_NAME } from "../version.ts";
import { EXIT } from "./exit_codes.ts";
import { Interrupted, type Interruptions, type Io, systemIo, tellOn } from "./context.ts";
import { main } from "./program.ts";
import { DENO_SYSTEM } from "./system/deno_system.ts";
import type { System } from "./system/system.ts";

const SIGNALS = [["SIGINT", EXIT.interrupted], ["SIGTERM", EXIT.terminated]] as const;

/** The first signal interrupts the command, another one ends the program unless the command waits for it. */
function listenForSignals(system: System): Interruptions {
  const first = new AbortController();
  let next: AbortController | null = null;
  for (const [name, code] of SIGNALS) {
    system.onSignal(name, () => {
      const waiting = first.signal.aborted ? next : first;
      if (waiting === null) return system.exit(code);
      if (waiting === next) next = null;
      waiting.abort(new Interrupted(name));
    });
  }
  const nextInterrupt = () => (next = new AbortController()).signal;
  return { interrupted: first.signal, nextInterrupt };
}

/** The surroundings of this process, or `null` where Deno's permissions do not allow even that. */
function surroundings(system: System): Io | null {
  try {
    return systemIo(system, listenForSignals(system));
  } catch (error) {
    tellOn(system, `${SERVER_NAME}: Cannot start: ${messageOf(error)} [forbidden]\n`);
    return null;
  }
}

/** Runs the command line of this process and ends it. */
export async function runProcess(): Promise<never> {
  const system = "Deno" in globalThis
    ? DENO_SYSTEM
    : (await import("./system/node_system.ts")).NODE_SYSTEM;
  const io = surroundings(system);
  return system.exit(io === null ? EXIT.failure : await main(system.args, io));
}

/**
 * The entry of the program `harness-ws-server`: see docs/cli.md.
 *
 * @module
 */
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
    if (Deno.build.os === "windows" && name === "SIGTERM") continue;
    Deno.addSignalListener(name, () => {
      if (controller.signal.aborted) Deno.exit(code);
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

if (import.meta.main) {
  const io = surroundings();
  Deno.exit(io === null ? EXIT.failure : await main(Deno.args, io));
}

/**
 * The entry of the program `harness-ws-server`: see docs/cli.md.
 *
 * @module
 */
import { Interrupted, systemIo } from "./io.ts";
import { main } from "./program.ts";

/** A second signal ends the program at once. */
function listenForSignals(): AbortSignal {
  const controller = new AbortController();
  for (const [name, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    // Windows knows no SIGTERM.
    if (Deno.build.os === "windows" && name === "SIGTERM") continue;
    Deno.addSignalListener(name, () => {
      if (controller.signal.aborted) Deno.exit(code);
      controller.abort(new Interrupted(name));
    });
  }
  return controller.signal;
}

if (import.meta.main) {
  Deno.exit(await main(Deno.args, systemIo(listenForSignals())));
}

/**
 * The process on Deno.
 *
 * @module
 */
import { STDOUT, type System } from "./system.ts";

const outputOf = (number: number) => number === STDOUT ? Deno.stdout : Deno.stderr;

/** The process on Deno. */
export const DENO_SYSTEM: System = {
  get args() {
    return Deno.args;
  },
  env: (name) => Deno.env.get(name),
  writeSome: (to, bytes) => outputOf(to).writeSync(bytes),
  isTerminal: (output) => outputOf(output).isTerminal(),
  terminalSize() {
    if (!Deno.stdout.isTerminal() && !Deno.stderr.isTerminal()) return null;
    const { columns, rows } = Deno.consoleSize();
    return columns > 0 && rows > 0 ? { columns, rows } : null;
  },
  readStdin: () => new Response(Deno.stdin.readable).bytes(),
  onSignal(name, listener) {
    // Windows knows no SIGTERM.
    if (Deno.build.os !== "windows" || name !== "SIGTERM") Deno.addSignalListener(name, listener);
  },
  exit: (code) => Deno.exit(code),
};

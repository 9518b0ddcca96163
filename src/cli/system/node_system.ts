/**
 * The process on Node and Bun.
 *
 * @module
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { buffer } from "node:stream/consumers";
import { isatty } from "node:tty";
import type { System } from "./system.ts";

/** The process on Node and Bun. */
export const NODE_SYSTEM: System = {
  args: process.argv.slice(2),
  env: (name) => process.env[name],
  writeSome: (to, bytes) => writeSync(to, bytes),
  isTerminal: isatty,
  terminalSize() {
    const { columns = 0, rows = 0 } = [process.stdout, process.stderr].find(({ isTTY }) => isTTY) ??
      {};
    return columns > 0 && rows > 0 ? { columns, rows } : null;
  },
  readStdin: async () => new Uint8Array(await buffer(process.stdin)),
  onSignal(name, listener) {
    // Windows knows no SIGTERM.
    if (process.platform !== "win32" || name !== "SIGTERM") process.on(name, listener);
  },
  exit: (code) => process.exit(code),
};

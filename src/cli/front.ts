/**
 * Answers `--help` and `--version` before anything else is loaded. On Deno alone, which compiles its `node:` modules at
 * each start: that takes longer than all of this. Elsewhere, and where anything is unusual, the whole program answers.
 *
 * @module
 */
import { messageOf } from "../errors.ts";
import { SERVER_NAME } from "../version.ts";
import { wrapLines } from "./output/text_layout.ts";
import { programHelp, versionText, widthOfHelp } from "./program_help.ts";

const HELP = ["--help", "-h", "help"];
const VERSION = ["--version", "-V", "-v"];
/** Where the size of the terminal is not known. */
const DEFAULT_COLUMNS = 80;
/** How long to wait for a slow reader of a pipe that was switched to not blocking. */
const FULL_PIPE_PAUSE_MS = 5;

/** Whether the command line of this process has been answered. */
export function answered(): boolean {
  if (!("Deno" in globalThis) || Deno.args.length !== 1) return false;
  const [word = ""] = Deno.args;
  try {
    if (HELP.includes(word)) return print((columns) => programHelp(widthOfHelp(columns)));
    if (!VERSION.includes(word)) return false;
    return print(() => `${versionText(`deno ${Deno.version.deno}`, Deno.version.v8)}\n`);
  } catch {
    // Such as a closed pipe or a full disk: what handles all of them does it again.
    return false;
  }
}

/** Says that the program could not be loaded, which needs the permission to read it, and ends. */
export function cannotLoad(error: unknown): never {
  const isRead = !("Deno" in globalThis) ||
    Deno.permissions.querySync({ name: "read" }).state === "granted";
  if (isRead) throw error;
  const text = `${SERVER_NAME}: Cannot start: ${messageOf(error)} [forbidden]\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(text));
  Deno.exit(1);
}

function print(text: (columns: number) => string): true {
  const isTerminal = Deno.stdout.isTerminal();
  const columns = columnsOf(isTerminal);
  const whole = text(columns);
  let bytes = new TextEncoder().encode(isTerminal ? wrapLines(whole, columns) : whole);
  while (bytes.length > 0) bytes = bytes.subarray(writeSome(bytes));
  return true;
}

/** As `systemIo()` has it: `COLUMNS`, the terminal's own, or wide enough not to cut anything in a pipe. */
function columnsOf(isTerminal: boolean): number {
  const wanted = Number(Deno.env.get("COLUMNS") ?? "");
  if (Number.isInteger(wanted) && wanted > 0) return wanted;
  return isTerminal ? Deno.consoleSize().columns || DEFAULT_COLUMNS : Infinity;
}

function writeSome(bytes: Uint8Array): number {
  try {
    return Deno.stdout.writeSync(bytes);
  } catch (error) {
    if (!(error instanceof Deno.errors.WouldBlock)) throw error;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_PAUSE_MS);
    return 0;
  }
}

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
import { DENO_SYSTEM } from "./system/deno_system.ts";
import { columnsOn, STDERR, STDOUT, writeAll } from "./system/system.ts";

const HELP = ["--help", "-h", "help"];
const VERSION = ["--version", "-V", "-v"];

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
  writeAll({ system: DENO_SYSTEM, to: STDERR }, text);
  return DENO_SYSTEM.exit(1);
}

function print(text: (columns: number) => string): true {
  const isTerminal = DENO_SYSTEM.isTerminal(STDOUT);
  const columns = columnsOn(DENO_SYSTEM, isTerminal);
  const whole = text(columns);
  const output = { system: DENO_SYSTEM, to: STDOUT };
  writeAll(output, isTerminal ? wrapLines(whole, columns) : whole);
  return true;
}

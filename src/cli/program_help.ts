/**
 * The help of the program itself, and its version. Made of {@linkcode COMMANDS} without commander, which takes longer to
 * load than all else that this needs; a test compares it with what commander makes of the same.
 *
 * @module
 */
import { PROTOCOL_VERSION, SUBPROTOCOL } from "../protocol/messages.ts";
import { SERVER_NAME, VERSION } from "../version.ts";
import { COMMANDS } from "./command_table.ts";
import {
  commandTerm,
  exampleLines,
  type HelpItem,
  helpItem,
  PROGRAM_FLAGS,
  usageLines,
  wrapHelp,
} from "./help_text.ts";
import { wrapText } from "./output/text_layout.ts";

/** Texts of the program. */
export const PROGRAM = {
  about: "Registry, deployment and control of services on plain Linux hosts.",
  usage: "[serve] [flags] | <command> [flags]",
  helpCommand: "help for a command",
} as const;

/** Examples of the whole program. */
const EXAMPLES: ReadonlyArray<[string, string?]> = [
  [SERVER_NAME, "serve on ws://127.0.0.1:8080"],
  [`${SERVER_NAME} package build ./my-service`, "make a package"],
  [`${SERVER_NAME} deploy my-service-1.0.0.tar.gz --host deploy@web1`],
  [`${SERVER_NAME} services`, "what runs where"],
  [`${SERVER_NAME} rollback my-service`, "back to the last good version"],
];
const EXIT_CODES = "Exit codes: 0 ok, 1 failure, 2 usage, 3 partial, 4 unreachable, 5 timeout, " +
  "6 rolled back, 7 rollback failed, 8 locked, 130/143 interrupted.";

/** Wider lines are hard to read. */
const WIDEST_HELP = 100;

/** The width of help on a terminal of `columns`. */
export function widthOfHelp(columns: number): number {
  return Math.min(WIDEST_HELP, columns);
}

/** What stands below the commands. */
export function helpEnd(width: number): string {
  return `${exampleLines(EXAMPLES, width)}\n\n${wrapText(EXIT_CODES, width).join("\n")}`;
}

/** The whole help of the program. */
export function programHelp(width: number): string {
  const flags: HelpItem[] = Object.values(PROGRAM_FLAGS).map(([term, description]) => ({
    term,
    description,
  }));
  const commands: HelpItem[] = COMMANDS.map(({ name, alias, args = [], about }) => ({
    term: commandTerm(
      alias === undefined ? name : `${name}|${alias}`,
      args.map(([argument]) => argument),
    ),
    description: about,
  }));
  commands.push({ term: commandTerm("help", ["[command]"]), description: PROGRAM.helpCommand });
  const termWidth = Math.max(...[...flags, ...commands].map(({ term }) => term.length));
  const list = (items: readonly HelpItem[]) =>
    items.map((item) => helpItem(item, termWidth, width)).join("\n");
  return [
    `Usage: ${usageLines(`${SERVER_NAME} ${PROGRAM.usage}`, width)}`,
    wrapHelp(PROGRAM.about, width),
    `Options:\n${list(flags)}`,
    `Commands:\n${list(commands)}`,
  ].join("\n\n") + `\n${helpEnd(width)}\n`;
}

/** Program, protocol and runtime, such as `deno 2.9.6`. */
export function versionText(runtime: string, v8: string): string {
  return `${SERVER_NAME} ${VERSION} (protocol ${SUBPROTOCOL} version ${PROTOCOL_VERSION}, ` +
    `${runtime}, v8 ${v8})`;
}

/**
 * The help of the program itself, and its version, made of {@linkcode COMMANDS} alone: nothing else has to be loaded.
 *
 * @module
 */
import { PROTOCOL_VERSION, SUBPROTOCOL } from "../protocol/messages.ts";
import { SERVER_NAME, VERSION } from "../version.ts";
import { COMMANDS } from "./command_table.ts";
import {
  commandTerm,
  exampleLines,
  HELP_COMMAND,
  type HelpItem,
  helpText,
  PROGRAM_FLAGS,
} from "./help_text.ts";
import { wrapText } from "./output/text_layout.ts";

/** Texts of the program. */
const PROGRAM = {
  about: "Registry, deployment and control of services on plain Linux hosts.",
  usage: "[serve] [flags] | <command> [flags]",
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

/** The whole help of the program. */
export function programHelp(width: number): string {
  const flags: HelpItem[] = Object.values(PROGRAM_FLAGS).map(([term, description]) => ({
    term,
    description,
  }));
  const commands: HelpItem[] = COMMANDS.map(({ name, args = [], about }) => ({
    term: commandTerm(name, args.map(([argument]) => argument)),
    description: about,
  }));
  const help = helpText({
    usage: `${SERVER_NAME} ${PROGRAM.usage}`,
    about: PROGRAM.about,
    lists: [["Options:", flags], ["Commands:", [...commands, HELP_COMMAND]]],
  }, width);
  return `${help}${exampleLines(EXAMPLES, width)}\n\n${wrapText(EXIT_CODES, width).join("\n")}\n`;
}

/** Program, protocol and runtime, such as `deno 2.9.6`. */
export function versionText(runtime: string, v8: string): string {
  return `${SERVER_NAME} ${VERSION} (protocol ${SUBPROTOCOL} version ${PROTOCOL_VERSION}, ` +
    `${runtime}, v8 ${v8})`;
}

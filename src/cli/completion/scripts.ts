/**
 * The scripts that shells load.
 *
 * @module
 */
import { basename, resolve } from "node:path";
import process from "node:process";
import { quoteWord } from "../../executor/shell/quote.ts";
import bash from "./completion.bash" with { type: "text" };
import fish from "./completion.fish" with { type: "text" };
import powershell from "./completion.ps1" with { type: "text" };
import zsh from "./completion.zsh" with { type: "text" };

/** A shell with completions. */
export type Shell = "bash" | "zsh" | "fish" | "powershell";

/** A script, and how the words of a command are written in its language. */
interface Script {
  readonly text: string;
  quote(word: string): string;
}

const SCRIPTS: Readonly<Record<Shell, Script>> = {
  bash: { text: bash, quote: quoteWord },
  zsh: { text: zsh, quote: quoteWord },
  fish: { text: fish, quote: (word) => `'${word.replaceAll(/[\\']/g, "\\$&")}'` },
  powershell: {
    text: powershell,
    quote: (word) => `'${word.replaceAll(/['\u2018\u2019\u201a\u201b]/g, "$&$&")}'`,
  },
};

/** What a completion needs of Deno's permissions. */
const DENO_FLAGS = [
  "run",
  "--no-prompt",
  "--allow-net",
  "--allow-env",
  "--allow-sys",
  "--allow-read",
];

/** The script for a shell. It calls the program by its name, and where that is not on the PATH, the one that runs now. */
export function completionScript(shell: Shell): string {
  const { text, quote } = SCRIPTS[shell];
  const program = thisProgram().map(quote).join(" ");
  return text.replaceAll("@PROGRAM@", () => program);
}

/** The command line of this process, without its arguments. */
function thisProgram(): string[] {
  const { execPath, argv: [, entry = ""] } = process;
  const runtime = /^(deno|node|bun)(?:\.exe)?$/.exec(basename(execPath))?.[1];
  if (runtime === undefined) return [execPath];
  const file = /^[a-z]+:\/\//.test(entry) ? entry : resolve(entry);
  return [execPath, ...runtime === "deno" ? DENO_FLAGS : [], file];
}

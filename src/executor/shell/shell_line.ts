/**
 * Renders a {@linkcode Command} as shell text. Pure.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { MAX_COMMAND_BYTES, MAX_SHELL_WORD_LENGTH } from "../limits.ts";
import type { Command, RunOptions } from "../executor.ts";
import { assign } from "./include.ts";
import killGroup from "./kill_group.sh" with { type: "text" };
import { quote, quoteWord } from "./quote.ts";

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A command's name in messages: that of the program, never its arguments. */
export function commandName(command: Command): string {
  return "argv" in command ? command.argv[0] : command.name ?? "script";
}

function checkText(text: string): string {
  if (text.includes("\0") || !text.isWellFormed()) {
    throw new HarnessError(
      "invalid_params",
      "Cannot run a script: it contains a NUL character or half of a surrogate pair",
    );
  }
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= MAX_COMMAND_BYTES) return text;
  throw new HarnessError(
    "too_large",
    `Cannot run a command of ${bytes} bytes: at most ${MAX_COMMAND_BYTES}; send data on stdin`,
    { details: { bytes, limit: MAX_COMMAND_BYTES } },
  );
}

/**
 * sh text that sets the directory and the environment and then executes the command.
 *
 * @throws {HarnessError} `invalid_params` for a program, name or value that no shell can pass on.
 */
export function shellText(
  command: Command,
  options: Pick<RunOptions, "cwd" | "env"> = {},
): string {
  const lines: string[] = [];
  if (options.cwd !== undefined) {
    // "../" so that neither CDPATH nor a leading dash changes what it means.
    const dir = options.cwd.startsWith("/") ? options.cwd : `./${options.cwd}`;
    lines.push(`cd ${quoteWord(dir)} || exit 1`);
  }
  for (const [name, value] of Object.entries(options.env ?? {})) {
    if (!ENV_NAME.test(name)) {
      throw new HarnessError(
        "invalid_params",
        `Cannot set the environment variable ${
          JSON.stringify(name)
        }: a name has letters, digits and _ only`,
      );
    }
    lines.push(`export ${name}=${quoteWord(value)}`);
  }
  if ("argv" in command) {
    if (command.argv[0] === "" || command.argv[0].startsWith("-")) {
      throw new HarnessError(
        "invalid_params",
        `Cannot run ${JSON.stringify(command.argv[0])}: not the name of a program`,
      );
    }
    lines.push(`exec ${quote(command.argv)}`);
  } else {
    lines.push(`set -- ${quote(command.args ?? [])}`.trimEnd(), command.script);
  }
  return checkText(lines.join("\n"));
}

/** Characters that some login shell treats specially inside single quotes. */
// deno-lint-ignore no-control-regex -- it is about control characters
const UNSAFE = /[\u0000-\u001f\u007f'\\!]/g;

function octal(character: string): string {
  return `\\0${character.charCodeAt(0).toString(8).padStart(3, "0")}`;
}

/** Length of an escape of {@linkcode octal}, the only use of a backslash in escaped text. */
const ESCAPE_LENGTH = 5;

/** Pieces of escaped text, each short enough for a csh word, none cut inside an escape or a character. */
function words(escaped: string): string[] {
  const found: string[] = [];
  let from = 0;
  do {
    let to = Math.min(from + MAX_SHELL_WORD_LENGTH, escaped.length);
    if (to < escaped.length) {
      const escape = escaped.lastIndexOf("\\", to - 1);
      if (escape > to - ESCAPE_LENGTH) to = escape;
      else if ((escaped.codePointAt(to - 1) ?? 0) > 0xffff) to -= 1;
    }
    found.push(escaped.slice(from, to));
    from = to;
  } while (from < escaped.length);
  return found;
}

/**
 * One line that any login shell (sh, bash, zsh, fish, csh) executes as `text` in sh.
 *
 * sshd passes a command to the user's login shell, and those differ in what a quoted backslash, exclamation mark or newline
 * means. So these are sent as octal escapes, which printf(1) decodes.
 */
export function loginShellLine(text: string): string {
  const escaped = words(text.replace(UNSAFE, octal)).map((word) => `'${word}'`);
  return checkText(`exec sh -c 'eval "$(printf %b "$@")"' sh ${escaped.join(" ")}`);
}

/**
 * Prefix for a command over SSH: makes it lead a process group of its own, then prints `<nonce> <pid> <own group: 1 or 0>`.
 *
 * OpenSSH starts a session for each command; dropbear runs it in the group of the connection itself,
 * where killing the group would end the connection.
 */
export function announceText(nonce: string): string {
  return [
    "read -r h_ h_ h_ h_ g_ h_ </proc/$$/stat || g_=$$",
    'if [ "$g_" != $$ ] && command -v setsid >/dev/null; then',
    `exec setsid sh -c 'eval "$(printf %b "$@")"' sh "$@"`,
    "fi",
    `if [ "$g_" = $$ ]; then echo ${nonce} $$ 1; else echo ${nonce} $$ 0; fi`,
    "unset h_ g_",
    "set --",
    "",
  ].join("\n");
}

/** sh text that kills a process group and everything below it, and ends when it is gone or after a few seconds. */
export function killGroupText(
  pid: number,
  options: { ownGroup: boolean; leaderGone: boolean },
): string {
  const values = {
    k_pid: pid,
    k_own: Number(options.ownGroup),
    k_gone: Number(options.leaderGone),
  };
  return assign(values) + killGroup;
}

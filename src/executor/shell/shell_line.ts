/**
 * From a {@linkcode Command} to shell text. Pure: what is sent to a machine can be read in a test.
 *
 * @module
 */
import { HarnessError } from "../../errors.ts";
import { MAX_COMMAND_BYTES, MAX_SHELL_WORD_LENGTH } from "../limits.ts";
import type { Command, RunOptions } from "../executor.ts";
import { quote, quoteWord } from "./quote.ts";

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** How a command is called in messages: the program's name and never its arguments. */
export function commandName(command: Command): string {
  return "argv" in command ? command.argv[0] : command.name ?? "script";
}

function checkText(text: string): string {
  if (text.includes("\0") || !text.isWellFormed()) {
    throw new HarnessError(
      "invalid_params",
      "Cannot run a script: it holds a NUL character or half of a surrogate pair",
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
 * sh text that sets the directory and the environment and then becomes the command.
 *
 * @throws {HarnessError} `invalid_params` for a program, name or value that no shell can take.
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
        `Cannot run ${JSON.stringify(command.argv[0])}: this is not the name of a program`,
      );
    }
    lines.push(`exec ${quote(command.argv)}`);
  } else {
    lines.push(`set -- ${quote(command.args ?? [])}`.trimEnd(), command.script);
  }
  return checkText(lines.join("\n"));
}

/** What a shell of any kind, not only sh, could read as something else inside single quotes. */
// deno-lint-ignore no-control-regex -- control characters are what it is about
const UNSAFE = /[\u0000-\u001f\u007f'\\!]/g;

function octal(character: string): string {
  return `\\0${character.charCodeAt(0).toString(8).padStart(3, "0")}`;
}

/** Pieces of escaped text, each short enough for a csh word, none cut inside an escape or a character. */
function words(escaped: string): string[] {
  const found: string[] = [];
  let word = "";
  for (const unit of escaped.match(/\\0\d{3}|[\s\S]/gu) ?? []) {
    if (word.length + unit.length > MAX_SHELL_WORD_LENGTH) {
      found.push(word);
      word = "";
    }
    word += unit;
  }
  found.push(word);
  return found;
}

/**
 * One line that any login shell (sh, bash, zsh, fish, csh) runs as `text` in sh, replacing itself.
 *
 * sshd hands a command to the user's login shell, and those differ in what a quoted backslash,
 * exclamation mark or newline means. So these travel as octal escapes, which printf(1) turns back.
 */
export function loginShellLine(text: string): string {
  const escaped = words(text.replace(UNSAFE, octal)).map((word) => `'${word}'`);
  return checkText(`exec sh -c 'eval "$(printf %b "$@")"' sh ${escaped.join(" ")}`);
}

/**
 * Text to put before a command that is run over SSH: makes sure that it leads a process group of its
 * own, then says on stdout `<nonce> <pid> <own group: 1 or 0>`.
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

/**
 * sh text that kills a process group and everything below it, and returns when nothing of it is left, or
 * after a few seconds.
 *
 * Below it, since sudo (with `use_pty`, the default of many distributions) runs its command in a session
 * of its own; and what belongs to root then is killed through sudo. `kill` is called in the one form
 * that dash, bash and BusyBox agree on. Without /proc it is the group alone.
 */
export function killGroupText(
  pid: number,
  options: { ownGroup: boolean; leaderGone: boolean },
): string {
  const { ownGroup, leaderGone } = options;
  const target = ownGroup ? `-${pid}` : `${pid}`;
  return [
    // A number is not given out again while it names a group: a process that has it now is not ours.
    leaderGone ? (ownGroup ? `[ ! -d /proc/${pid} ] || exit 0` : "exit 0") : ":",
    // Fields of /proc/<pid>/stat: pid, name, state, parent, group. A zombie is dead already.
    "k=' '; more=1",
    'while [ "$more" ]; do more=; for f in /proc/[0-9]*/stat; do',
    "read -r p n s u g r <$f || continue",
    'case $k in *" $p "*) continue ;; esac',
    `case $k in *" $u "*) ;; *) [ "$${ownGroup ? "g" : "p"}" = ${pid} ] || continue ;; esac`,
    '[ "$s" = Z ] || { k="$k$p "; more=1; }',
    "done 2>/dev/null; done",
    `kill -KILL ${target} $k 2>/dev/null`,
    "left() { for p in $k; do",
    'read -r p n s r </proc/$p/stat && [ "$s" != Z ] && return 0',
    "done 2>/dev/null; return 1; }",
    "for i in 1 2 3 4 5; do",
    "left || exit 0",
    "sleep 0.1 2>/dev/null || sleep 1",
    // Through sh: kill(1) of procps takes "-123" for a signal.
    `[ $i -lt 2 ] || sudo -n sh -c 'kill -KILL "$@"' sh ${target} $k >/dev/null 2>&1`,
    "done",
  ].join("\n");
}

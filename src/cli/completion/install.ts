/**
 * Installs completions for a user: the script in a file of its own, and where the shell does not find that by itself, a
 * marked block in the shell's start-up file.
 *
 * @module
 */
import * as fs from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { HarnessError, messageOf } from "../../errors.ts";
import { hasErrorCode } from "../../util/node/files.ts";
import { SERVER_NAME } from "../../version.ts";
import type { Io } from "../context.ts";
import { completionScript, type Shell } from "./scripts.ts";

const BEGIN = `# >>> ${SERVER_NAME} completions >>>`;
const END = `# <<< ${SERVER_NAME} completions <<<`;

/** Where the completions of a shell go. */
interface Places {
  /** The script. */
  readonly script: string;
  /** The start-up file and the line in it, or `null` where the shell finds the script by itself. */
  readonly startup: { readonly file: string; readonly line: string } | null;
  /** What makes a running shell load it. */
  readonly next: string;
}

/** Installs the completions, again if they are there. Says what it did and what to do next. */
export async function installCompletions(io: Io, shell: Shell): Promise<void> {
  const { script, startup, next } = await placesOf(io, shell);
  await changing(script, async () => {
    const text = completionScript(shell);
    const before = await textOf(script);
    if (before !== text) {
      await fs.mkdir(dirname(script), { recursive: true });
      await replaceFile(script, text);
    }
    io.out(`${before === text ? "unchanged" : before === null ? "wrote" : "updated"}  ${script}\n`);
  });
  if (startup !== null) {
    const { file, line } = startup;
    await changing(file, async () => {
      const before = await textOf(file) ?? "";
      const rest = withoutBlock(before);
      const start = rest === "" || rest.endsWith("\n") ? rest : `${rest}\n`;
      const after = `${start}${BEGIN}\n${line}\n${END}\n`;
      // A block that is there stays where it is.
      const isThere = before.includes(`${BEGIN}\n${line}\n${END}\n`);
      if (!isThere) await replaceFile(file, after);
      io.out(`${isThere ? "unchanged" : "updated"}  ${file} (a block that loads it)\n`);
    });
  }
  io.err(`open a new ${shell}, or run here: ${next}\n`);
}

/** Removes what {@linkcode installCompletions} made. */
export async function uninstallCompletions(io: Io, shell: Shell): Promise<void> {
  const { script, startup } = await placesOf(io, shell);
  let isAny = false;
  const before = startup === null ? null : await textOf(startup.file);
  if (startup !== null && before !== null && withoutBlock(before) !== before) {
    await changing(startup.file, () => replaceFile(startup.file, withoutBlock(before)));
    io.out(`updated  ${startup.file} (the block is gone)\n`);
    isAny = true;
  }
  if (await textOf(script) !== null) {
    await changing(script, () => fs.rm(script));
    io.out(`removed  ${script}\n`);
    isAny = true;
  }
  io.err(isAny ? `a ${shell} that runs keeps them until it ends\n` : "nothing is installed\n");
}

/** The shell of a path such as `/usr/bin/zsh`, or `null`. */
export function shellOfPath(path: string): Shell | null {
  const name = /([^/\\]+?)(?:\.exe)?$/.exec(path)?.[1];
  if (name === "bash" || name === "zsh" || name === "fish") return name;
  return name === "pwsh" || name === "powershell" ? "powershell" : null;
}

async function placesOf(io: Io, shell: Shell): Promise<Places> {
  const home = io.env("HOME") ?? homedir();
  await requireOwn(home);
  // A relative one would be a place below whatever directory this runs in.
  const dirIn = (name: string, standard: string) => {
    const dir = io.env(name);
    return dir?.startsWith("/") ? dir : join(home, standard);
  };
  const data = dirIn("XDG_DATA_HOME", ".local/share");
  const config = dirIn("XDG_CONFIG_HOME", ".config");
  switch (shell) {
    case "bash": {
      // Where the package bash-completion looks; the block loads it where there is no such package.
      const script = join(data, "bash-completion", "completions", SERVER_NAME);
      return sourced(script, join(home, ".bashrc"));
    }
    case "zsh":
      return sourced(
        join(data, SERVER_NAME, "completion.zsh"),
        join(dirIn("ZDOTDIR", ""), ".zshrc"),
      );
    case "fish": {
      const script = join(config, "fish", "completions", `${SERVER_NAME}.fish`);
      return { script, startup: null, next: `source ${word(script)}` };
    }
    case "powershell": {
      const profiles = process.platform === "win32"
        ? join(home, "Documents", "PowerShell")
        : join(config, "powershell");
      const script = join(data, SERVER_NAME, "completion.ps1");
      const quoted = `'${script.replaceAll("'", "''")}'`;
      const line = `if (Test-Path ${quoted}) { . ${quoted} }`;
      const file = join(profiles, "Microsoft.PowerShell_profile.ps1");
      return { script, startup: { file, line }, next: `. ${quoted}` };
    }
  }
}

function sourced(script: string, file: string): Places {
  const quoted = word(script);
  const line = `if [ -r ${quoted} ]; then . ${quoted}; fi`;
  return { script, startup: { file, line }, next: `. ${quoted}` };
}

/** A path in double quotes, which all of these shells read in the same way. */
function word(path: string): string {
  return `"${path.replaceAll(/[\\"$`]/g, "\\$&")}"`;
}

/** `sudo` often keeps HOME: root's files in a user's home would lock the user out of them. */
async function requireOwn(home: string): Promise<void> {
  const uid = process.getuid?.();
  const owner = await fs.stat(home).then((info) => info.uid, () => null);
  if (uid === undefined || owner === null || owner === uid) return;
  throw new HarnessError(
    "forbidden",
    `Cannot install completions in ${home}: it belongs to another user; run this as that user, ` +
      "without sudo",
  );
}

async function textOf(file: string): Promise<string | null> {
  try {
    return await fs.readFile(file, "utf8");
  } catch (error) {
    if (hasErrorCode(error, "ENOENT", "ENOTDIR")) return null;
    throw unusable(file, error);
  }
}

/** Replaces a file at once, also behind a link (dotfiles are often kept elsewhere). Its mode stays. */
async function replaceFile(file: string, text: string): Promise<void> {
  await fs.mkdir(dirname(file), { recursive: true });
  const target = await fs.realpath(file).catch(() => file);
  const mode = await fs.stat(target).then((info) => info.mode & 0o777, () => 0o644);
  const part = `${target}.${process.pid}.part`;
  try {
    await fs.writeFile(part, text, { flag: "wx", mode });
    await fs.chmod(part, mode);
    await fs.rename(part, target);
  } catch (error) {
    await fs.rm(part, { force: true });
    throw error;
  }
}

async function changing(file: string, change: () => Promise<void>): Promise<void> {
  try {
    await change();
  } catch (error) {
    throw error instanceof HarnessError ? error : unusable(file, error);
  }
}

function unusable(file: string, error: unknown): HarnessError {
  return new HarnessError(
    "storage_unavailable",
    `Cannot change ${file}: ${messageOf(error)}; print the script with ` +
      `\`${SERVER_NAME} completions <shell>\` and load it in your own way`,
    { cause: error },
  );
}

/** A start-up file without our block. */
function withoutBlock(text: string): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END, begin);
  if (begin < 0 || end < 0) return text;
  return text.slice(0, begin) + text.slice(end + END.length).replace(/^\r?\n/, "");
}

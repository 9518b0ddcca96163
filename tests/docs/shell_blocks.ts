/** The shell commands of a document, run in order as a reader would paste them. */
import assert from "node:assert/strict";
import { denoDir } from "../helpers/cli.ts";
import { removeTree } from "../helpers/remove_tree.ts";
import { Terminal } from "../helpers/pty.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The `sh` blocks below a heading of a document, up to the next heading of that level. */
export async function shellBlocks(file: string, heading?: string): Promise<string[]> {
  const text = await Deno.readTextFile(`${ROOT}${file}`);
  let section = text;
  if (heading !== undefined) {
    const start = text.indexOf(`\n${heading}\n`);
    assert.ok(start >= 0, `${file} has no "${heading}"`);
    const [level = ""] = heading.split(" ");
    const end = text.indexOf(`\n${level} `, start + 1 + heading.length);
    section = text.slice(start, end < 0 ? undefined : end);
  }
  return [...section.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block = ""]) => block);
}

/** A shell that reads the blocks. */
export interface Shell {
  /** Name, for messages. */
  name: string;
  /** Its command line. */
  command: string[];
  /** Whether it reads from a terminal; else from a file. */
  interactive: boolean;
}

/** bash and zsh, as scripts and at a terminal, without anybody's own configuration. */
export const SHELLS: readonly Shell[] = [
  { name: "bash script", command: ["bash"], interactive: false },
  { name: "zsh script", command: ["zsh", "-f"], interactive: false },
  { name: "bash", command: ["bash", "--norc", "--noprofile", "-i"], interactive: true },
  { name: "zsh", command: ["zsh", "-f", "-i"], interactive: true },
];

/** How the blocks went. */
export interface Session {
  /** Exit code of the last command of each block. */
  codes: number[];
  /** What was printed, stderr included. */
  output: string;
}

/** A directory like a clone of this repository, in which a document's commands make what they make. */
export async function checkout(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "harness-docs-" });
  for (const name of ["examples", "src", "deno.json", "deno.lock"]) {
    await Deno.symlink(`${ROOT}${name}`, `${path}/${name}`);
  }
  await Deno.mkdir(`${path}/home`);
  return { path, [Symbol.asyncDispose]: () => removeTree(path) };
}

/** Runs blocks in one shell, in `cwd`. */
export async function runBlocks(
  blocks: readonly string[],
  { shell, cwd }: { shell: Shell; cwd: string },
): Promise<Session> {
  // The mark is computed, so that the echo of a typed line is not taken for it.
  const marked = blocks.map((block, at) => `${block}echo "@@$((${at}+0)) $?@@"\n`);
  const env = {
    PATH: Deno.env.get("PATH") ?? "",
    DENO_DIR: await denoDir(),
    HOME: `${cwd}/home`,
    XDG_RUNTIME_DIR: `${cwd}/home`,
    NO_COLOR: "1",
  };
  const output = shell.interactive
    ? await type(marked, { shell, cwd, env })
    : await execute(marked, { shell, cwd, env });
  const codes = [...output.matchAll(/^@@\d+ (\d+)@@\r?$/gm)].map(([, code]) => Number(code));
  return { codes, output };
}

interface Place {
  shell: Shell;
  cwd: string;
  env: Record<string, string>;
}

async function execute(blocks: readonly string[], { shell, cwd, env }: Place): Promise<string> {
  const script = `${cwd}/home/script`;
  await Deno.writeTextFile(script, `exec 2>&1\n${blocks.join("")}`);
  const [file = "", ...args] = [...shell.command, script];
  const { stdout } = await new Deno.Command(file, { args, cwd, env, clearEnv: true, stdin: "null" })
    .output();
  return new TextDecoder().decode(stdout);
}

async function type(blocks: readonly string[], { shell, cwd, env }: Place): Promise<string> {
  await using terminal = new Terminal(shell.command, { cwd, env, columns: 200, rows: 50 });
  // zsh takes the terminal over when it is ready; what comes before is lost.
  await terminal.until(({ screen }) => /[$#%]$/.test(screen));
  for (const [at, block] of blocks.entries()) {
    // As a paste arrives: all at once, while the shell reads line by line.
    await terminal.type(block.replaceAll("\n", "\r"));
    await terminal.until(
      ({ scrollback }) => new RegExp(`^@@${at} \\d+@@$`, "m").test(scrollback),
      60_000,
    );
  }
  return terminal.scrollback;
}

/**
 * `deno task compile [--target t]`: one binary, `dist/harness-ws-server`, with the permissions the program needs.
 *
 * `deno compile` puts the program into a base runtime, `denort`, which it downloads for each target. Where it cannot,
 * `DENORT_BIN` names a file: denort-<target>.zip of the same Deno release, unpacked. Any file would be taken
 * for one, so what was made is run: only what answers as this program, and serves, is left there.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { SERVER_NAME, VERSION } from "../src/version.ts";

/** What the compiled program may do: as with `deno task start`; nothing is asked for at run time. */
export const PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-net",
  "--allow-env",
  "--allow-sys",
  "--allow-read",
  "--allow-write",
  "--allow-run=sh",
];
const OUTPUT = "dist/harness-ws-server";
const ROOT = new URL("..", import.meta.url);
/** How long the program may take to serve: a cold start on a busy machine takes seconds. */
const READY_TIMEOUT_MS = 60_000;

/** Compiles; says in one sentence what to do where the base runtime is missing. */
async function compile(args: readonly string[]): Promise<boolean> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["compile", "--frozen", ...PERMISSIONS, "--output", OUTPUT, ...args, "src/cli/main.ts"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdout: "inherit",
    stderr: "piped",
  }).output();
  const [said = ""] = new TextDecoder().decode(stderr).split("\n\nStack backtrace:");
  console.error(success || !said.includes("denort") ? said.trimEnd() : withoutBase(said));
  return success;
}

function withoutBase(said: string): string {
  const target = /denort-([\w-]+)\.zip/.exec(said)?.[1] ?? Deno.build.target;
  const cause = said.trimEnd().split("\n").at(-1)?.replace(/^ *\d+: /, "");
  return `Cannot compile ${OUTPUT}: the base runtime denort of Deno ${Deno.version.deno} for ` +
    `${target} is not there (${cause}). Fetch denort-${target}.zip of that release on a machine ` +
    "that can, unpack it, and run this again with DENORT_BIN=/path/to/denort";
}

/** Why a file is not this program, found out by running it; `null` when it is. */
export async function whyNotOurs(file: string): Promise<string | null> {
  let said: string;
  try {
    const { stdout } = await new Deno.Command(file, {
      args: ["--version"],
      stdin: "null",
      stderr: "null",
    }).output();
    said = new TextDecoder().decode(stdout).trim();
  } catch (error) {
    return `it cannot be run (${error instanceof Error ? error.message : error})`;
  }
  const expected = `${SERVER_NAME} ${VERSION}`;
  if (said !== expected && !said.startsWith(`${expected} (`)) {
    return `--version prints ${JSON.stringify(said.split("\n")[0])}, not ${
      JSON.stringify(expected)
    }`;
  }
  return await whyNotServing(file);
}

async function whyNotServing(file: string): Promise<string | null> {
  const state = await Deno.makeTempDir({ prefix: "harness-compile-" });
  const server = new Deno.Command(file, {
    args: ["serve", "--listen", "127.0.0.1:0", "--state-dir", state],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => server.kill("SIGKILL"), READY_TIMEOUT_MS);
  try {
    let said = "";
    for await (const text of server.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (said.includes("\n")) break;
    }
    const ready = said.startsWith(`${SERVER_NAME} listening on ws://127.0.0.1:`);
    return ready
      ? null
      : `serve prints ${JSON.stringify(said.split("\n")[0])}, not that it listens`;
  } finally {
    clearTimeout(timer);
    try {
      server.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await server.status;
    await Deno.remove(state, { recursive: true });
  }
}

/** Runs what was compiled, where it is for this machine, and removes it when it is not this program. */
async function verify(args: readonly string[]): Promise<boolean> {
  const target = args.find((_, at) => args[at - 1] === "--target") ??
    args.find((arg) => arg.startsWith("--target="))?.slice("--target=".length) ??
    Deno.build.target;
  if (target !== Deno.build.target) {
    console.error(`${OUTPUT} is for ${target}: it was not run here`);
    return true;
  }
  const file = new URL(Deno.build.os === "windows" ? `${OUTPUT}.exe` : OUTPUT, ROOT);
  const why = await whyNotOurs(decodeURIComponent(file.pathname));
  if (why === null) return true;
  await Deno.remove(file);
  const base = Deno.env.get("DENORT_BIN");
  const cause = base === undefined
    ? ""
    : `; DENORT_BIN=${base} is no base runtime: use denort of ` +
      `Deno ${Deno.version.deno}, not deno itself`;
  console.error(`Cannot compile ${OUTPUT}: what was made is not this program: ${why}${cause}`);
  return false;
}

if (import.meta.main && !(await compile(Deno.args) && await verify(Deno.args))) Deno.exit(1);

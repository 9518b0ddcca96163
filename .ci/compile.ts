/**
 * `deno task compile [--target t]`: the program as one file with the permissions it needs.
 *
 * `dist/harness-ws-server`, or `dist/harness-ws-server-<target>` for a named target. `deno compile` puts the program
 * into a base runtime, `denort`, which it downloads for each target. Where it cannot, `DENORT_BIN` names a file:
 * denort-<target>.zip of the same Deno release, unpacked. `deno compile` takes any file for one. So the result is made
 * in a directory of its own and run, and only what is this program gets the final name.
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
/**
 * A small young generation: its garbage is collected more often, in shorter pauses, and it holds less memory. In the old
 * one garbage may gather up to 64 MB, and from there as much as is worth the time of a collection, in place of four
 * times what is alive. This can be set when a process starts and not later, so each way to start the program has it;
 * docs/benchmarks.md says what it gives.
 */
export const V8_FLAGS =
  "--v8-flags=--max-semi-space-size=4,--memory-balancer,--initial-old-space-size=64";
/** All that `deno run`, `deno install` and `deno compile` are given for this program. */
export const RUN_FLAGS: readonly string[] = [...PERMISSIONS, V8_FLAGS];
const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname);
const IS_WINDOWS = Deno.build.os === "windows";
/** How long the program may take to serve, and to end: a cold start on a busy machine takes seconds. */
const TIMEOUT_MS = 60_000;

/** Why a file is not this program, found out by running it; `null` when it is. */
export async function whyNotOurs(file: string): Promise<string | null> {
  const dir = await Deno.makeTempDir({ prefix: "harness-compile-" });
  try {
    // The server is for Linux and macOS; on Windows the program is a client.
    return await whyWrongVersion(file, dir) ??
      (IS_WINDOWS ? null : await whyNotServing(file, dir));
  } catch (error) {
    return `it cannot be run (${error instanceof Error ? error.message : error})`;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Neither the user's configuration nor a running server of theirs takes part. */
function environment(home: string): Record<string, string> {
  const kept = Object.entries(Deno.env.toObject()).filter(([name]) =>
    !name.startsWith("HARNESS_") && name !== "STATE_DIRECTORY"
  );
  return { ...Object.fromEntries(kept), HOME: home, XDG_RUNTIME_DIR: home, XDG_STATE_HOME: home };
}

async function whyWrongVersion(file: string, dir: string): Promise<string | null> {
  const { stdout } = await new Deno.Command(file, {
    args: ["--version"],
    clearEnv: true,
    env: environment(dir),
    stdin: "null",
    stderr: "null",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).output();
  const said = new TextDecoder().decode(stdout).trim();
  const expected = `${SERVER_NAME} ${VERSION}`;
  if (said === expected || said.startsWith(`${expected} (`)) return null;
  return `--version prints ${JSON.stringify(said.split("\n")[0])}, not ${JSON.stringify(expected)}`;
}

async function whyNotServing(file: string, dir: string): Promise<string | null> {
  const server = new Deno.Command(file, {
    args: ["serve", "--listen", "127.0.0.1:0", "--state-dir", `${dir}/state`],
    clearEnv: true,
    env: environment(dir),
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => server.kill("SIGKILL"), TIMEOUT_MS);
  const lines = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  try {
    while (!said.includes("\n")) {
      const { done, value } = await lines.read();
      if (done) break;
      said += value;
    }
    if (!said.startsWith(`${SERVER_NAME} listening on ws://127.0.0.1:`)) {
      return `serve prints ${JSON.stringify(said.split("\n")[0])}, not that it listens`;
    }
    server.kill("SIGTERM");
    const { code } = await server.status;
    return code === 0 ? null : `serve ends with code ${code} after SIGTERM, not with 0`;
  } finally {
    clearTimeout(timer);
    await lines.cancel();
    endNow(server);
    await server.status;
  }
}

function endNow(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** What was asked for: other options go to `deno compile` as they are. */
function targetOf(args: readonly string[]): string | undefined {
  return args.find((_, at) => args[at - 1] === "--target") ??
    args.find((arg) => arg.startsWith("--target="))?.slice("--target=".length);
}

function finalName(target: string | undefined): string {
  const suffix = (target ?? Deno.build.target).includes("windows") ? ".exe" : "";
  return `dist/${SERVER_NAME}${target === undefined ? "" : `-${target}`}${suffix}`;
}

/** Compiles into `file`; returns what went wrong, or `null`. */
async function compileInto(file: string, args: readonly string[]): Promise<string | null> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    // Without --exclude-unused-npm the tools of the tests are in it too: 60 MB.
    args: [
      ...["compile", "--frozen", "--exclude-unused-npm", ...RUN_FLAGS],
      ...["--output", file, ...args, "src/cli/main.ts"],
    ],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return null;
  const [said = ""] = new TextDecoder().decode(stderr).split("\n\nStack backtrace:");
  // Before the error come its progress and the list of what was put in.
  const error = (/^error: ([^]*)/m.exec(said)?.[1] ?? said).trim();
  return error.includes("denort") ? withoutBase(error) : error.replaceAll(/\n\s*(\d+: )?/g, " ");
}

function withoutBase(said: string): string {
  const target = /denort-([\w-]+)\.zip/.exec(said)?.[1] ?? Deno.build.target;
  const cause = said.trimEnd().split("\n").at(-1)?.replace(/^ *\d+: /, "");
  return `the base runtime denort of Deno ${Deno.version.deno} for ${target} is not there (${cause}). ` +
    `Fetch denort-${target}.zip of that release on a machine that can, unpack it, and run this ` +
    "again with DENORT_BIN=/path/to/denort";
}

/** Why the file is not what was asked for, and what to do about it. */
async function whyRefused(file: string): Promise<string | null> {
  const why = await whyNotOurs(file);
  if (why === null) return null;
  const base = Deno.env.get("DENORT_BIN");
  const cause = base === undefined
    ? ""
    : `; DENORT_BIN=${base} is no base runtime: use denort of Deno ${Deno.version.deno}, ` +
      "not deno itself";
  return `what was made is not this program: ${why}${cause}`;
}

/** Compiles, checks, and moves the result into place; returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const target = targetOf(args);
  const final = finalName(target);
  await Deno.mkdir(`${ROOT}dist`, { recursive: true });
  // In dist/, so that the last step is a rename; under its own name, so that .exe stays.
  const dir = await Deno.makeTempDir({ dir: `${ROOT}dist`, prefix: ".compile-" });
  try {
    const file = `${dir}/${final.slice("dist/".length)}`;
    const foreign = target !== undefined && target !== Deno.build.target;
    const problem = await compileInto(file, args) ?? (foreign ? null : await whyRefused(file));
    if (problem !== null) {
      console.error(`Cannot compile ${final}: ${problem}`);
      return 1;
    }
    const { size } = await Deno.stat(file);
    await Deno.rename(file, `${ROOT}${final}`);
    const checked = foreign
      ? `for ${target}: it was NOT run, this machine is ${Deno.build.target}`
      : `its --version ${IS_WINDOWS ? "was" : "and serve were"} run`;
    console.log(`${final} (${Math.round(size / 2 ** 20)} MiB), ${checked}`);
    return 0;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));

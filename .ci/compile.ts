/**
 * `deno task compile [--target t]`: one binary, `dist/harness-ws-server`, with the permissions the program needs.
 *
 * `deno compile` puts the program into a base runtime, `denort`, which it downloads for each target. Where it cannot,
 * `DENORT_BIN` names a file: denort-<target>.zip of the same Deno release, unpacked.
 *
 * @module
 */
// deno-lint-ignore-file no-console

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

/** Compiles; says in one sentence what to do where the base runtime is missing. */
async function compile(args: readonly string[]): Promise<boolean> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["compile", "--frozen", ...PERMISSIONS, "--output", OUTPUT, ...args, "src/cli/main.ts"],
    cwd: new URL("..", import.meta.url),
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

if (import.meta.main && !await compile(Deno.args)) Deno.exit(1);

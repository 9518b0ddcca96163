/**
 * The runtimes that the library is for, and a project in which Node and Bun find it as a user would: the package that
 * `deno task npm` builds, installed by npm.
 */
import { dirname } from "node:path";
import { buildNpm } from "../../.ci/npm.ts";
import type { Component } from "./require.ts";
import { runProgram } from "./sshd.ts";
import { tempDir } from "./temp_dir.ts";

const TSX = "tsx@4";
const EXAMPLES = new URL("../../examples/", import.meta.url).pathname;

/** A runtime that runs a program of examples/. */
export interface Runtime {
  readonly name: string;
  /** The component that its tests need. */
  readonly component: Component | null;
  /** Program and arguments that run a file of the project. */
  command(file: string): Promise<[string, ...string[]]>;
}

function node(version: 22 | 24): Runtime {
  return {
    name: `Node ${version}`,
    component: `node${version}`,
    // npx itself would not pass signals on.
    command: async (file) => [await nodePath(version), file],
  };
}

const nodePaths = new Map<number, Promise<string>>();

/** The Node of npm's package `node`, which .ci/run fetches; npx, which takes a second, is asked once. */
export function nodePath(version: 22 | 24): Promise<string> {
  let path = nodePaths.get(version);
  if (path === undefined) {
    path = runProgram("npx", ["-y", `node@${version}`, "-p", "process.execPath"])
      .then((output) => output.trim());
    nodePaths.set(version, path);
  }
  return path;
}

/** Deno, from the source. */
export const DENO: Runtime = {
  name: "Deno",
  component: null,
  command: (file) => Promise.resolve([Deno.execPath(), "run", "-A", file]),
};

/** Those that need the package for npm. */
export const NPM_RUNTIMES: readonly Runtime[] = [
  node(22),
  node(24),
  { name: "Bun", component: "bun", command: (file) => Promise.resolve(["bun", file]) },
];

/** A project that has the package. */
export interface Project extends AsyncDisposable {
  readonly dir: string;
  /** The package. */
  readonly tarball: string;
  /** What npm printed when it installed the package. */
  readonly printed: string;
}

/** Builds the package and installs it into an empty project, with what runs TypeScript on Node 22. */
export async function npmProject(): Promise<Project> {
  const dir = await tempDir();
  const project = `${dir.path}/project`;
  const tarball = await buildNpm(`${dir.path}/npm`);
  await Deno.mkdir(project);
  await Deno.writeTextFile(`${project}/package.json`, '{ "type": "module", "private": true }');
  const { code, stdout, stderr } = await new Deno.Command("npm", {
    args: ["install", "--no-audit", "--no-fund", "--no-update-notifier", tarball],
    cwd: project,
    env: { PATH: `${dirname(await nodePath(22))}:${Deno.env.get("PATH")}` },
  }).output();
  // Apart: what npm prints is to be about our package alone.
  await runProgram("npm", ["install", "--silent", "--prefix", project, TSX]);
  const printed = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  if (code !== 0) throw new Error(`npm install failed: ${printed}`);
  return {
    dir: project,
    tarball,
    printed,
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

/** Program and arguments that run an example: from the project, or from the source where there is none. */
export async function exampleCommand(
  runtime: Runtime,
  name: string,
  project: Project | null,
): Promise<[string, ...string[]]> {
  if (project === null) return await runtime.command(`${EXAMPLES}${name}`);
  await Deno.copyFile(`${EXAMPLES}${name}`, `${project.dir}/${name}`);
  const [program, ...args] = await runtime.command(`${project.dir}/${name}`);
  // It does not know `await using`.
  const loader = runtime.component === "node22"
    ? ["--import", `${project.dir}/node_modules/tsx/dist/loader.mjs`]
    : [];
  return [program, ...loader, ...args];
}

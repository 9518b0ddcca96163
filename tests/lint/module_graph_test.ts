import assert from "node:assert/strict";
import { deadExports, importCycles, moduleGraph } from "./module_graph.ts";

const ROOT = new URL("../../", import.meta.url);

/** The modules of the package, with the tools that publish parts of them, and the paths of its entry points. */
async function ofPackage(): Promise<{ files: Map<string, string>; entryPoints: string[] }> {
  const files = new Map<string, string>([["mod.ts", await read("mod.ts")]]);
  for (const dir of ["src", "tests/tools"]) {
    for (const path of sources(dir)) files.set(path, await read(path));
  }
  const { exports } = JSON.parse(await read("deno.json")) as { exports: Record<string, string> };
  return { files, entryPoints: Object.values(exports).map((path) => path.replace("./", "")) };
}

function read(path: string): Promise<string> {
  return Deno.readTextFile(new URL(path, ROOT));
}

function* sources(dir: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(dir, ROOT))) {
    if (isDirectory) yield* sources(`${dir}/${name}`);
    else if (name.endsWith(".ts")) yield `${dir}/${name}`;
  }
}

const PACKAGE = await ofPackage();
const GRAPH = moduleGraph(PACKAGE.files);

Deno.test("src: no import cycle, type imports included", () => {
  const cycles = importCycles(GRAPH);
  assert.deepEqual(cycles.map((cycle) => cycle.join(" -> ")), []);
});

/** Used in their own file and tested without their user; this list may only become shorter. */
const TESTED_ALONE = [
  "src/cli/commands/doctor.ts: exitCode",
  "src/cli/commands/doctor_host.ts: findingsFrom",
  "src/cli/commands/watch.ts: eventText",
  "src/cli/flags/config_file.ts: parseConfig",
  "src/cli/logging.ts: jsonLine",
  "src/cli/logging.ts: textLine",
  "src/cli/program.ts: createProgram",
  "src/cli/program.ts: withDefaultCommand",
  "src/lifecycle/drivers/systemd/generated/unit.ts: execLine",
  "src/lifecycle/health/monitor.ts: HealthThresholds",
  "src/lifecycle/health/probe.ts: parseHttpAnswer",
  "src/lifecycle/logs.ts: LineSplitter",
  "src/lifecycle/supervisor/host_status.ts: parseHostStatus",
  "src/registry/dependencies.ts: findCycle",
  "src/registry/entry_text.ts: PARSED_ENTRIES_BYTES",
  "src/registry/entry_text.ts: encodedEntries",
  "src/storage/snapshot.ts: snapshotChunks",
];

Deno.test("src: every export is used by another source file", () => {
  // What only a test imports is dead, too: test it through its user, or delete it.
  const dead = deadExports(GRAPH, PACKAGE.entryPoints).filter((it) => it.startsWith("src/"));
  assert.deepEqual(dead.sort(), TESTED_ALONE);
});

Deno.test("importCycles: names the circle, types and import() included", () => {
  const graph = moduleGraph(
    new Map([
      ["src/a.ts", `import type { B } from "./b.ts"; export type A = B;`],
      ["src/b.ts", `export { c } from "./c/c.ts"; export type B = 1;`],
      ["src/c/c.ts", `export const c = () => import("../a.ts"); import "./d.ts";`],
      ["src/c/d.ts", `import { readFile } from "node:fs/promises"; export const d = readFile;`],
    ]),
  );
  assert.deepEqual(importCycles(graph), [["src/a.ts", "src/b.ts", "src/c/c.ts", "src/a.ts"]]);
});

Deno.test("deadExports: what nobody imports, but types of signatures", () => {
  const graph = moduleGraph(
    new Map([
      ["mod.ts", `export { shown } from "./src/a.ts"; export const entry = 1;`],
      [
        "src/a.ts",
        `export interface Options { x: Inner } export interface Inner { y: 1 } export type Alone = 1;
         export function shown(options: Options): void {} export const { unused } = { unused: shown };
         export class Used {} export function other(): void { const x: Alone = 1; }`,
      ],
      ["src/b.ts", `import { other as mine, type Used } from "./a.ts"; mine(); type X = Used;`],
      ["src/c.ts", `export const all = 1;`],
      ["src/d.ts", `import * as c from "./c.ts"; c.all;`],
      ["src/e.ts", `export const one = 1, two = 2, three = 3;`],
      ["src/f.ts", `(await import("./e.ts")).one; const { two: x } = await import("./e.ts");`],
    ]),
  );
  assert.deepEqual(deadExports(graph, ["mod.ts"]), [
    "src/a.ts: Alone",
    "src/a.ts: unused",
    "src/e.ts: three",
  ]);
});

/**
 * Measures a checkout as a table in Markdown: `deno task measure [path] [--commits=from..to]`.
 *
 * Sizes, imports, functions, tests and commits, each as docs/architecture.md means them. The same script reads any
 * version of the code, so that two tables can be compared.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { parseArgs } from "node:util";
import ts from "typescript";
import { functionLengths } from "../lint/function_lengths.ts";
import { deadExports, importCycles, type ModuleGraph, moduleGraph } from "../lint/module_graph.ts";
import { testNames } from "../lint/test_names.ts";

type Row = [measure: string, value: string];

/** The files below a folder whose names end so, with their texts, by path from `root`. */
async function readTree(root: string, dir: string, ends: RegExp): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for await (const entry of Deno.readDir(`${root}/${dir}`)) {
    const path = `${dir}/${entry.name}`;
    if (entry.isDirectory) {
      for (const found of await readTree(root, path, ends)) files.set(...found);
    } else if (ends.test(path)) files.set(path, await Deno.readTextFile(`${root}/${path}`));
  }
  return files;
}

function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

function spread(numbers: readonly number[]): string {
  return [0.5, 0.9, 1].map((share) => quantile(numbers, share)).join(" / ");
}

function percent(part: number, whole: number): string {
  return whole === 0 ? "–" : `${Math.round(100 * part / whole)} %`;
}

function lineCount(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}

/** Lines that hold more than blanks and comments. */
function codeLines(path: string, text: string): number {
  if (!path.endsWith(".ts")) {
    return text.split("\n").filter((line) => !/^\s*(#|$)/.test(line)).length;
  }
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const lines = new Set<number>();
  const visit = (node: ts.Node): void => {
    const children = node.getChildren(source).filter(({ kind }) =>
      kind < ts.SyntaxKind.FirstJSDocNode || kind > ts.SyntaxKind.LastJSDocNode
    );
    if (children.length > 0) return children.forEach(visit);
    if (node.getWidth(source) === 0) return;
    const line = (at: number) => source.getLineAndCharacterOfPosition(at).line;
    for (let at = line(node.getStart(source)); at <= line(node.getEnd()); at++) lines.add(at);
  };
  visit(source);
  return lines.size;
}

function sizes(files: ReadonlyMap<string, string>): Row[] {
  const lines = [...files.values()].map(lineCount);
  const code = (ends: string) =>
    [...files].filter(([path]) => path.endsWith(ends)).reduce(
      (sum, it) => sum + codeLines(...it),
      0,
    );
  const functions = [...files].filter(([path]) => path.endsWith(".ts"))
    .flatMap(([path, text]) => functionLengths(path, text))
    .filter(({ name }) => name !== "(anonymous)").map(({ lines }) => lines);
  const folders = Map.groupBy(files.keys(), (path) => path.slice(0, path.lastIndexOf("/")));
  const perFolder = [...folders.values()].map((paths) => paths.length);
  return [
    ["files", String(files.size)],
    ["code lines, TypeScript", String(code(".ts"))],
    ["code lines, sh and awk files", String(code(".sh") + code(".awk"))],
    ["file lines, median / p90 / max", spread(lines)],
    ["lines of named functions, median / p90 / max", spread(functions)],
    ["files per folder, median / max", `${quantile(perFolder, 0.5)} / ${quantile(perFolder, 1)}`],
  ];
}

/** The names that a module gives to those who import it. */
function exportedNames(modules: ReadonlyMap<string, string>, path: string): Set<string> {
  const text = modules.get(path) ?? "";
  const names = new Set(moduleGraph(new Map([[path, text]])).get(path)?.exports.keys());
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  for (const node of source.statements.filter(ts.isExportDeclaration)) {
    if (node.exportClause !== undefined && ts.isNamedExports(node.exportClause)) {
      for (const { name } of node.exportClause.elements) names.add(name.text);
    } else if (node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
      const target = new URL(node.moduleSpecifier.text, `file:///${path}`).pathname.slice(1);
      for (const name of exportedNames(modules, target)) names.add(name);
    }
  }
  return names;
}

function imports(graph: ModuleGraph): Row[] {
  const inSrc = [...graph].filter(([path]) => path.startsWith("src/"));
  const fanIn = new Map<string, number>();
  for (const [, module] of graph) {
    for (const target of module.imports) fanIn.set(target, (fanIn.get(target) ?? 0) + 1);
  }
  const [most = "", times = 0] = [...fanIn].toSorted((a, b) => b[1] - a[1])[0] ?? [];
  const mean = inSrc.reduce((sum, [, module]) => sum + module.imports.size, 0) / inSrc.length;
  return [
    ["local imports per file, mean", mean.toFixed(1)],
    ["fan-in, max", `${times} (${most})`],
    ["import cycles, types included", String(importCycles(graph).length)],
  ];
}

/** Exports of src that no source file imports, but a test does. */
function forTestsOnly(
  src: ModuleGraph,
  tests: ModuleGraph,
  entryPoints: readonly string[],
): number {
  const tested = new Set<string>();
  for (const [, { names }] of tests) {
    for (const [target, taken] of names) for (const name of taken) tested.add(`${target}: ${name}`);
  }
  return deadExports(src, entryPoints)
    .filter((one) => tested.has(one) || tested.has(one.replace(/: .*/, ": *"))).length;
}

async function run(command: string, args: string[]): Promise<string | null> {
  try {
    const { success, stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout) : null;
  } catch {
    return null;
  }
}

async function commits(root: string, range: string): Promise<Row[]> {
  const log = await run("git", [
    "-C",
    root,
    "log",
    "--no-merges",
    "--format=%x00%s",
    "--name-only",
    range,
  ]);
  const all = (log ?? "").split("\0").slice(1).map((text) => text.trim().split("\n"));
  const subjects = all.map(([subject = ""]) => subject.length);
  const touched = all.map((lines) =>
    lines.slice(1).filter((path) => path.startsWith("src/")).length
  )
    .filter((count) => count > 0);
  const share = (most: number) => percent(touched.filter((n) => n <= most).length, touched.length);
  return [
    [`commits in ${range}`, `${all.length}, ${touched.length} of them touch src`],
    ["commits that touch 1 / ≤ 3 source files", `${share(1)} / ${share(3)}`],
    ["commit subject, median", String(quantile(subjects, 0.5))],
    ["commit subjects over 72", percent(subjects.filter((n) => n > 72).length, subjects.length)],
  ];
}

async function measure(root: string, range: string | undefined): Promise<Row[]> {
  const src = await readTree(root, "src", /\.(ts|sh|awk)$/);
  const tests = await readTree(root, "tests", /\.ts$/);
  const modules = new Map([...src].filter(([path]) => path.endsWith(".ts")));
  modules.set("mod.ts", await Deno.readTextFile(`${root}/mod.ts`));
  const graph = moduleGraph(modules);
  const { exports } = JSON.parse(await Deno.readTextFile(`${root}/deno.json`));
  const entryPoints = Object.values<string>(exports).map((path) => path.replace("./", ""));
  const names = [...tests].flatMap(([path, text]) => testNames(path, text)).map((it) => it.length);
  const files = [...tests.keys()].filter((path) => path.endsWith("_test.ts"));
  const system = files.filter((path) => path.endsWith("_system_test.ts")).length;
  const doubles = await run("duplicates", [
    "--repo",
    `${root}/src`,
    "--most",
    "200",
    "--seconds",
    "120",
  ]);
  const pairs = doubles === null ? "–" : /^(no|\d+)/.exec(doubles)?.[1] ?? "–";
  return [
    ...sizes(src),
    ...imports(graph),
    ["names exported by `.`", String(exportedNames(modules, entryPoints[0] ?? "mod.ts").size)],
    [
      "exports that only tests import",
      String(forTestsOnly(graph, moduleGraph(tests), entryPoints)),
    ],
    ["pairs of double code in src", pairs],
    ["test files, quick / system", `${files.length - system} / ${system}`],
    ["test name, median", String(quantile(names, 0.5))],
    ["test names over 60", `${names.filter((n) => n > 60).length} of ${names.length}`],
    ...range === undefined ? [] : await commits(root, range),
  ];
}

const { values, positionals: [root = "."] } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: { commits: { type: "string" } },
});
console.log("| measure | value |\n| --- | --- |");
for (const [name, value] of await measure(root, values.commits)) {
  console.log(`| ${name} | ${value} |`);
}

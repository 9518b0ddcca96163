import assert from "node:assert/strict";
import { importProblem, outputProblem, runtimeProblem, tooNewProblem } from "./layers.ts";
import { functionLengths } from "./function_lengths.ts";

const ROOT = new URL("../../", import.meta.url);
const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 70;
const MAX_FOLDER_FILES = 16;

function* sources(dir: URL): Generator<URL> {
  for (const entry of Deno.readDirSync(dir)) {
    const url = new URL(entry.isDirectory ? `${entry.name}/` : entry.name, dir);
    if (entry.isDirectory) yield* sources(url);
    else if (entry.name.endsWith(".ts")) yield url;
  }
}

Deno.test("importProblem: refuses what the map does not allow", () => {
  const at = (folder: string) => `/x/src/${folder}/a.ts`;
  assert.equal(importProblem(at("registry"), "../errors.ts"), null);
  assert.equal(importProblem(at("registry"), "./b.ts"), null);
  assert.equal(importProblem(at("registry"), "zod"), null);
  assert.equal(importProblem(at("server"), "../deploy/deploy.ts"), null);
  assert.equal(importProblem(at("server"), "ws"), null);
  assert.equal(importProblem(at("cli"), "../storage/file_store.ts"), null);
  assert.match(importProblem(at("registry"), "../server/serve.ts") ?? "", /must not import/);
  assert.match(importProblem(at("registry"), "ws") ?? "", /must run anywhere/);
  assert.match(importProblem(at("client"), "node:fs") ?? "", /must run anywhere/);
  assert.equal(importProblem("/x/src/util/node/a.ts", "node:fs"), null);
  assert.equal(importProblem(at("server"), "../util/node/digest.ts"), null);
  assert.match(importProblem(at("registry"), "../util/node/digest.ts") ?? "", /must run anywhere/);
  assert.match(importProblem("/x/src/util/a.ts", "node:fs") ?? "", /must run anywhere/);
  assert.match(importProblem(at("deploy"), "../registry/entry.ts") ?? "", /must not import/);
  assert.match(importProblem(at("deploy"), `${"jsr"}:@std/tar`) ?? "", /not from npm/);
});

Deno.test("outputProblem(): refuses output that bypasses Io", () => {
  assert.equal(outputProblem("/x/src/cli/system/node_system.ts", "process", "stdout"), null);
  assert.equal(outputProblem("/x/src/executor/a.ts", "process", "stdout"), null);
  assert.equal(outputProblem("/x/tests/a.ts", "Deno", "stdout"), null);
  assert.equal(outputProblem("/x/src/cli/system/deno_system.ts", "Deno", "stdout"), null);
  assert.match(outputProblem("/x/src/cli/watch.ts", "Deno", "stdout") ?? "", /through Io/);
  assert.match(outputProblem("/x/src/cli/watch.ts", "process", "stderr") ?? "", /through Io/);
  assert.match(outputProblem("/x/src/server/a.ts", "Deno", "stderr") ?? "", /through Io/);
});

Deno.test("runtimeProblem(): refuses Deno where a node: module does", () => {
  assert.equal(runtimeProblem("/x/src/util/node/file_lock.ts"), null);
  assert.equal(runtimeProblem("/x/tests/cli/a.ts"), null);
  assert.match(runtimeProblem("/x/src/cli/main.ts") ?? "", /node: module/);
});

Deno.test("tooNewProblem(): refuses what Node 22 lacks", () => {
  assert.equal(tooNewProblem("/x/src/a.ts", "Promise.all"), null);
  assert.equal(tooNewProblem("/x/tests/a.ts", "Promise.try"), null);
  assert.match(tooNewProblem("/x/src/a.ts", "Promise.try") ?? "", /Node 22/);
});

Deno.test("sources: bounded lines of files and functions", () => {
  const long: string[] = [];
  for (const url of [new URL("mod.ts", ROOT), ...sources(new URL("src/", ROOT))]) {
    const text = Deno.readTextFileSync(url);
    const name = url.pathname.slice(ROOT.pathname.length);
    const lines = text.split("\n").length - 1;
    if (lines > MAX_FILE_LINES) long.push(`${name}: ${lines} lines`);
    for (const fn of functionLengths(name, text)) {
      if (fn.lines > MAX_FUNCTION_LINES) {
        long.push(`${name}:${fn.line} ${fn.name}(): ${fn.lines} lines`);
      }
    }
  }
  assert.deepEqual(long, []);
});

Deno.test("sources: bounded files in a folder", () => {
  const full: string[] = [];
  const visit = (dir: URL) => {
    const entries = [...Deno.readDirSync(dir)];
    const files = entries.filter(({ isFile }) => isFile).length;
    if (files > MAX_FOLDER_FILES) full.push(`${dir.pathname}: ${files} files`);
    for (const { isDirectory, name } of entries) if (isDirectory) visit(new URL(`${name}/`, dir));
  };
  visit(new URL("src/", ROOT));
  assert.deepEqual(full, []);
});

Deno.test("top level: holds nothing but what a reader looks for there", () => {
  const allowed = /^(\..+|LICENSE|README\.md|deno\.(json|lock)|docs|examples|mod\.ts|src|tests)$/;
  const ignored = Deno.readTextFileSync(new URL(".gitignore", ROOT)).replaceAll("/", "")
    .split("\n");
  const names = [...Deno.readDirSync(ROOT)].map(({ name }) => name);
  const extra = names.filter((name) => !allowed.test(name) && !ignored.includes(name));
  assert.deepEqual(extra, []);
});

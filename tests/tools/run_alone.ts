/**
 * Runs each test file in a process of its own and in random order: `deno task test:alone [paths…]`.
 *
 * A file that passes only beside or after another one fails here. Without paths, the quick suite is run;
 * `--all` adds the system suite. `--jobs=2` runs two files at a time, `--json=file` writes the time of each test.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { parseArgs } from "node:util";
import { testFiles } from "./test_files.ts";

/** One test of one file, as the JUnit report has it. */
interface Case {
  file: string;
  name: string;
  seconds: number;
  outcome: "passed" | "failed" | "ignored";
}

/** What one file's run gave. */
interface FileRun {
  file: string;
  ok: boolean;
  seed: number;
  seconds: number;
  cases: Case[];
  output: string;
}

function casesOf(file: string, xml: string): Case[] {
  const cases: Case[] = [];
  for (const [, attributes = "", body = ""] of xml.matchAll(CASE)) {
    const value = (key: string) => new RegExp(`\\b${key}="([^"]*)"`).exec(attributes)?.[1] ?? "";
    const outcome = body.includes("<failure")
      ? "failed"
      : body.includes("<skipped")
      ? "ignored"
      : "passed";
    cases.push({ file, name: value("name"), seconds: Number(value("time")), outcome });
  }
  return cases;
}

const CASE = /<testcase\b((?:[^>"]|"[^"]*")*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g;

async function runFile(file: string): Promise<FileRun> {
  const seed = Math.floor(Math.random() * 1e9);
  const report = await Deno.makeTempFile({ prefix: "harness-junit-" });
  const started = performance.now();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // Types are checked by `deno task check:types`: doing it again for each file takes longer than the tests.
    args: [
      "test",
      "-A",
      "--no-check",
      `--shuffle=${seed}`,
      "--trace-leaks",
      `--junit-path=${report}`,
      file,
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const seconds = (performance.now() - started) / 1000;
  const cases = casesOf(file, await Deno.readTextFile(report));
  await Deno.remove(report);
  const decoder = new TextDecoder();
  return {
    file,
    ok: success,
    seed,
    seconds,
    cases,
    output: `${decoder.decode(stdout)}\n${decoder.decode(stderr)}`,
  };
}

function printRun({ file, ok, seed, seconds, cases, output }: FileRun): void {
  const count = (outcome: string) => cases.filter((one) => one.outcome === outcome).length;
  const ignored = count("ignored") === 0 ? "" : `, ${count("ignored")} ignored`;
  console.log(
    `${ok ? "ok    " : "FAILED"} ${file}: ${count("passed")} passed, ${count("failed")} failed` +
      `${ignored} (${seconds.toFixed(1)} s, seed ${seed})`,
  );
  if (!ok) console.log(output);
}

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      all: { type: "boolean", default: false },
      jobs: { type: "string", default: "1" },
      json: { type: "string" },
    },
  });
  const wanted = positionals.length > 0
    ? positionals
    : await testFiles(values.all ? "all" : "quick");
  const queue = [...wanted];
  const runs: FileRun[] = [];
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const run = await runFile(file);
      printRun(run);
      runs.push(run);
      if (values.json !== undefined) {
        await Deno.writeTextFile(values.json, JSON.stringify(runs.flatMap((one) => one.cases)));
      }
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
  const failed = runs.filter((run) => !run.ok);
  const seconds = runs.flatMap((run) => run.cases).reduce((sum, one) => sum + one.seconds, 0);
  console.log(
    `${runs.length} files, ${seconds.toFixed(0)} s of tests, ${failed.length} files failed`,
  );
  return failed.length === 0 ? 0 : 1;
}

Deno.exit(await main(Deno.args));

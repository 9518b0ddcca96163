/**
 * `deno task bench`: what the product does beside its peers, measured in alternating rounds on this machine.
 *
 * Prints a table, writes it into docs/benchmarks.md with `--out`, and everything measured as JSON with `--json`.
 * A missed target is no failure unless `--strict` is given. docs/benchmarks.md explains the figures.
 */
import { parseArgs } from "node:util";
import { loadClientLanguage } from "./load_client.ts";
import { type Machine, machine } from "./machine.ts";
import { idOf, type Row } from "./row.ts";
import { type Measured, type RowResult, type RunOptions, runRows, sharing } from "./rounds.ts";
import { killDescendants, Scope } from "./scope.ts";
import { asked, limitsTable, markdownTable, textTable, withRegion } from "./table.ts";

const HELP = `Usage: deno task bench [--rows 4,13-resume] [--rounds 5] [--json file] [--strict]
                       [--out docs/benchmarks.md] [--dir directory] [--list]

  --rows    only these rows, by number or name
  --rounds  measurements of each contender, of which the median counts (default: 5, and 3 where they take more than
            half a minute, so that all rows take less than ten minutes)
  --out     write the table of all rows between the marks of this file
  --json    write all samples to this file
  --strict  exit with 1 if a target is missed or a measurement failed
  --list    print the rows, their targets and what they need
  --dir     where state directories are made, on the disk to be measured (default: the temporary directory)
`;

const OPTIONS = {
  rows: { type: "string" },
  rounds: { type: "string" },
  out: { type: "string" },
  json: { type: "string" },
  dir: { type: "string" },
  strict: { type: "boolean", default: false },
  list: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Unless `--rounds` says otherwise. */
const DEFAULT_ROUNDS = 5;
/** Rows whose rounds take longer differ by a few hundredths from one to the next. */
const ENOUGH_SECONDS = 30;

const flags = readFlags();

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

function readFlags() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    say(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
    Deno.exit(2);
  }
}

/** Progress: not part of the table. */
function say(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}

async function allRows(): Promise<Row[]> {
  const rows: Row[] = [];
  const dir = new URL("./rows/", import.meta.url);
  for await (const { name } of Deno.readDir(dir)) {
    if (!name.endsWith(".ts")) continue;
    const module: { rows: Row[] } = await import(new URL(name, dir).href);
    rows.push(...module.rows);
  }
  return rows.toSorted((a, b) => a.number - b.number || (a.name < b.name ? -1 : 1));
}

function chosen(rows: readonly Row[], wanted: string | undefined): readonly Row[] {
  if (wanted === undefined) return rows;
  return wanted.split(",").flatMap((one) => {
    const found = rows.filter((row) => [String(row.number), row.name, idOf(row)].includes(one));
    if (found.length > 0) return found;
    throw new Error(`No row "${one}"; there are ${rows.map(idOf).join(", ")}`);
  });
}

function position(id: string, rows: readonly Row[]): number {
  return rows.findIndex((row) => idOf(row) === id);
}

async function bench(
  rows: readonly Row[],
  limits: Pick<RunOptions, "rounds" | "enoughSeconds">,
): Promise<Measured[]> {
  const interrupted = new AbortController();
  const stop = () => {
    if (interrupted.signal.aborted) Deno.exit(130);
    say("Interrupted: ending what runs; once more to leave at once.");
    interrupted.abort(new Error("interrupted"));
    // What is waited for ends with its process; the row in hand then closes what it has set up.
    killDescendants();
  };
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener("SIGTERM", stop);
  const all: Measured[] = [];
  try {
    await using scope = await Scope.open(interrupted.signal, flags.dir);
    for (const together of sharing(rows)) {
      say(`${together.map(idOf).join(", ")} …`);
      const measured = await runRows(together, { ...limits, scope, say });
      if (interrupted.signal.aborted) break;
      all.push(measured);
      const lines = measured.results.flatMap((result) => result.lines);
      say(`${textTable(lines)}\n  in ${Math.round(measured.seconds["all"] ?? 0)} s\n`);
    }
  } finally {
    Deno.removeSignalListener("SIGINT", stop);
    Deno.removeSignalListener("SIGTERM", stop);
  }
  if (interrupted.signal.aborted) Deno.exit(130);
  return all;
}

function roundsText(rounds: number): string {
  const some = `${rounds} ${rounds === 1 ? "round" : "rounds"}`;
  return flags.rounds === undefined ? `${some}, fewer where the outcome says so,` : some;
}

/** Why the figures of this run should not be quoted. */
function doubts(rounds: number, { load, cores }: Machine): string {
  const reasons = [
    ...(rounds < DEFAULT_ROUNDS ? ["fewer than 5 rounds"] : []),
    ...(load > cores / 4 ? ["a machine that was busy with other things"] : []),
  ];
  return reasons.length === 0 ? "" : `\nNot to be quoted: ${reasons.join(", and ")}.`;
}

/** How busy the load client was, where it was busiest. */
function loadClientShare(results: readonly RowResult[]): string {
  const shares = results.flatMap(({ id, samples }) =>
    Object.entries(samples).flatMap(([name, some]) =>
      some.flatMap((figures) => {
        const share = figures?.["client_cpu"];
        return share === undefined ? [] : [{ share, of: `${id}, ${name}` }];
      })
    )
  );
  const [most] = shares.toSorted((a, b) => b.share - a.share);
  if (most === undefined) return "";
  return `\nThe load client, in ${loadClientLanguage()}, took at most ${
    Math.round(most.share)
  } % of a processor (${most.of}).`;
}

async function main(): Promise<void> {
  if (flags.help) return print(HELP.trim());
  const rounds = Number(flags.rounds ?? DEFAULT_ROUNDS);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds takes a number from 1");
  if (flags.out !== undefined && flags.rows !== undefined) {
    throw new Error("--out writes the figures of one whole run: leave --rows away, or use --json");
  }
  const rows = chosen(await allRows(), flags.rows);
  if (flags.list) {
    for (const row of rows) {
      print(`${idOf(row)}: limited by ${row.limit}`);
      for (const target of row.targets) print(`    ${target.title}: ${asked(target)}`);
    }
    return;
  }
  const begun = performance.now();
  const here = await machine(flags.dir);
  const measured = await bench(rows, {
    rounds,
    enoughSeconds: flags.rounds === undefined ? ENOUGH_SECONDS : Infinity,
  });
  const seconds = (performance.now() - begun) / 1000;
  const results = measured.flatMap((some) => some.results)
    .toSorted((a, b) => position(a.id, rows) - position(b.id, rows));
  const lines = results.flatMap((result) => result.lines);
  const outcomes = Object.groupBy(lines, ({ verdict }) => verdict.outcome);
  const count = Object.entries(outcomes).map(([name, some]) => `${some?.length} ${name}`).join(
    ", ",
  );
  const summary = `${here.text}\n${roundsText(rounds)} in ${Math.round(seconds)} s: ${count}.` +
    loadClientShare(results) + doubts(rounds, here);
  print(`${textTable(lines)}\n\n${summary}`);
  if (flags.out !== undefined) {
    const text = `${summary}\n\n${markdownTable(lines)}\n\n${limitsTable(rows)}`;
    await Deno.writeTextFile(flags.out, withRegion(await Deno.readTextFile(flags.out), text));
    await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", flags.out] }).output();
  }
  if (flags.json !== undefined) {
    const figures = results.map(({ lines, ...rest }) => ({
      ...rest,
      targets: lines.map(({ target, verdict, note }) => ({ ...target, ...verdict, note })),
    }));
    const took = measured.map(({ results, seconds }) => ({
      rows: results.map(({ id }) => id),
      ...seconds,
    }));
    const report = { machine: here, rounds, seconds, took, rows: figures };
    await Deno.writeTextFile(flags.json, JSON.stringify(report, null, 2));
  }
  const bad = (outcomes.missed?.length ?? 0) + (outcomes.failed?.length ?? 0);
  if (flags.strict && bad > 0) Deno.exit(1);
}

try {
  await main();
} catch (error) {
  say(`Cannot run the bench: ${error instanceof Error ? error.message : error}`);
  Deno.exit(2);
}

import assert from "node:assert/strict";
import { Command } from "../../src/cli/command_line/command.ts";
import { parseLine } from "../../src/cli/command_line/parse.ts";
import { mistakeError } from "../../src/cli/flags/usage.ts";

/** A program as ours is one, with flags of each kind. */
function program(): Command {
  const root = new Command({ name: "p", about: "" })
    .option("-V, --version", "").option("--debug", "");
  const run = new Command({ name: "run", about: "", args: [["<file>"], ["[more...]"]] }, root);
  run.option("-n, --lines <n>", "").option("-f, --follow", "").option("--dry-run", "")
    .option("--tag <t>", "", { repeatable: true }).option("--key <file...>", "")
    .option("--out <name>", "", { fallback: "x" }).option("--version <v>", "");
  const group = new Command({ name: "group", about: "", alias: "g" }, root).option(
    "-q, --quiet",
    "",
  );
  new Command({ name: "list", about: "", isDefault: true }, group)
    .option("--limit <n>", "").option("-q, --quiet", "");
  new Command({ name: "show", about: "", args: [["<id>"]] }, group)
    .option("--must <x>", "", { mandatory: true });
  new Command({ name: "plain", about: "" }, new Command({ name: "bare", about: "" }, root));
  return root;
}

/** What a command line is read as, in short. */
async function read(line: string): Promise<unknown> {
  const words = line === "" ? [] : line.split(" ");
  const parsed = await parseLine(program(), words, () => Promise.resolve());
  switch (parsed.kind) {
    case "run": {
      const { flags, args, after } = parsed.line;
      return [parsed.command.path, { ...flags }, args, ...after === null ? [] : [after]];
    }
    case "help":
      return `${parsed.isAsked ? "help" : "usage"} of ${parsed.command.path}`;
    case "mistake":
      return mistakeError(parsed.command, parsed.mistake).message.replace(
        /[;?] `(.+) --.*/,
        " in $1",
      );
    default:
      return parsed.kind;
  }
}

Deno.test("parseLine(): flags in every form and place", async () => {
  const out = "x";
  const cases: Array<[string, Record<string, unknown>, unknown[]]> = [
    ["run a", { out }, ["a", []]],
    ["run -n 5 a --follow b", { lines: "5", follow: true, out }, ["a", ["b"]]],
    ["run -n5 a", { lines: "5", out }, ["a", []]],
    ["run -fn 5 a", { follow: true, lines: "5", out }, ["a", []]],
    ["run --lines=-5 a", { lines: "-5", out }, ["a", []]],
    ["run --lines -5 a", { lines: "-5", out }, ["a", []]],
    ["run --lines= a", { lines: "", out }, ["a", []]],
    ["run --lines 1 --lines 2 a", { lines: "2", out }, ["a", []]],
    ["run --tag a=b --tag=c x", { tag: ["a=b", "c"], out }, ["x", []]],
    ["run a --key k1 k2 --out o", { key: ["k1", "k2"], out: "o" }, ["a", []]],
    ["run --dry-run -", { dryRun: true, out }, ["-", []]],
    ["run -5 -.5", { out }, ["-5", ["-.5"]]],
    ["--debug run a --version 1", { debug: true, version: "1", out }, ["a", []]],
  ];
  for (const [line, flags, args] of cases) {
    assert.deepEqual(await read(line), ["p run", flags, args], line);
  }
  assert.deepEqual(await read("run a -- -n --help"), [
    "p run",
    { out },
    ["a", ["-n", "--help"]],
    ["-n", "--help"],
  ]);
});

Deno.test("parseLine(): groups, their default, their aliases", async () => {
  assert.deepEqual(await read("group"), ["p group list", {}, []]);
  assert.deepEqual(await read("g -q --limit 5"), ["p group list", { quiet: true, limit: "5" }, []]);
  assert.deepEqual(await read("group -q show a --must b"), [
    "p group show",
    { quiet: true, must: "b" },
    ["a"],
  ]);
  assert.equal(await read("bare"), "usage of p bare");
  assert.equal(await read(""), "usage of p");
});

Deno.test("parseLine(): help and version, whatever else is wrong", async () => {
  const cases: Array<[string, string]> = [
    ["--help", "help of p"],
    ["help", "help of p"],
    ["help g show", "help of p group show"],
    ["g help show", "help of p group show"],
    ["group -h", "help of p group"],
    ["run --nonsense --help", "help of p run"],
    ["run --help a b c", "help of p run"],
    ["nonsense --help", "help of p"],
    ["--version", "version"],
    ["-V run", "version"],
  ];
  for (const [line, expected] of cases) assert.equal(await read(line), expected, line);
});

Deno.test("parseLine(): says what is wrong, and with which command", async () => {
  const cases: Array<[string, string]> = [
    ["rnu", "unknown command 'rnu': did you mean run in p"],
    ["help g shwo", "unknown command 'shwo': did you mean show in p group"],
    ["group shwo", "unknown command 'shwo': did you mean show in p group"],
    [
      "group list shwo",
      "too many arguments for 'list'. Expected 0 arguments but got 1: shwo in p group list",
    ],
    ["bare --limit plain", "unknown option '--limit' in p bare"],
    ["run a --flolow", "unknown option '--flolow': did you mean --follow in p run"],
    ["run a --follow=1", "unknown option '--follow=1': did you mean --follow in p run"],
    ["run a -fx", "unknown option '-x' in p run"],
    ["run a -n", "option '-n, --lines <n>' argument missing in p run"],
    ["run", "missing required argument 'file' in p run"],
    ["group show a", "required option '--must <x>' not specified in p group show"],
    ["group show --must --must a b", "option '--must <x>' argument missing in p group show"],
  ];
  for (const [line, expected] of cases) assert.equal(await read(line), expected, line);
});

import assert from "node:assert/strict";
import type { Command } from "../../src/cli/command_line/command.ts";
import { commandHelp } from "../../src/cli/command_line/help.ts";
import { programHelp } from "../../src/cli/program_help.ts";
import { withDefaultCommand } from "../../src/cli/program.ts";
import { runCli, runHere, wholeProgram } from "../helpers/cli.ts";

function* commands(parent: Command, path: string[] = []): Generator<[string[], Command]> {
  for (const command of parent.commands) {
    const here = [...path, command.name];
    yield [here, command];
    yield* commands(command, here);
  }
}

function withoutExamples(help: string): string {
  return help.replace(/\nExamples?:.*/s, "");
}

Deno.test("help: every command", async (t) => {
  const program = await wholeProgram();
  const texts = [withoutExamples(programHelp(80))];
  for (const [path, command] of commands(program)) {
    texts.push(`--- ${path.join(" ")}\n${withoutExamples(commandHelp(command, 80))}`);
  }
  // The defaults of limits are src/model/limits.ts's business, and lines break differently with them.
  const text = texts.join("\n").replace(/\n {20,}/g, " ").replace(/ +(\S)/g, " $1")
    .replace(/\(default: [^,()]+, env: HARNESS_/g, "(default: …, env: HARNESS_");
  await t.assertSnapshot(text);
});

Deno.test("help: examples use flags of their command", async () => {
  for (const [path, command] of commands(await wholeProgram())) {
    const { code, stdout } = await runHere([...path, "--help"]);
    assert.equal(code, 0);
    const [, examples] = stdout.split(/^Examples?:\n/m);
    assert.ok(examples !== undefined, `${path.join(" ")} has no example`);
    for (const line of examples.trimEnd().replaceAll(" \\\n    ", " ").split("\n")) {
      assert.ok(line.startsWith(`  harness-ws-server ${path.join(" ")}`), line);
      for (const [flag] of line.matchAll(/--[a-z][a-z-]*(?= |$)/g)) {
        // A group shows its commands with their flags.
        const all = [command, ...command.commands].flatMap((it) => it.options);
        assert.ok(all.some((option) => option.long === flag), `${path.join(" ")} has no ${flag}`);
      }
      assert.ok(line.length <= 90, line);
    }
  }
});

Deno.test("help, version: the same before and after the front", async () => {
  // A second word is left to the whole program.
  for (const words of [["--help", "-h", "help"], ["--version", "-v", "-V"]]) {
    const { stdout } = await runCli(["--no-color", ...words.slice(0, 1)]);
    for (const word of words) assert.equal((await runCli([word])).stdout, stdout, word);
  }
});

Deno.test("help: every command fits 80 columns", async () => {
  for (const [path, command] of commands(await wholeProgram())) {
    for (const line of commandHelp(command, 80).split("\n")) {
      assert.ok(line.length <= 80, `${path.join(" ")}: ${line}`);
    }
  }
});

Deno.test("help: at 60 columns no word is broken", async () => {
  const texts: [string[], string][] = [[[], programHelp(60)]];
  for (const [path, command] of commands(await wholeProgram())) {
    texts.push([path, commandHelp(command, 60)]);
  }
  for (const [path, stdout] of texts) {
    // Choices and the like are one word, which may be longer.
    for (const line of stdout.split("\n")) {
      assert.ok(line.length <= 60 || !/\S \S/.test(line.trim()), `${path.join(" ")}: ${line}`);
    }
    const [, examples = ""] = stdout.split(/^Examples?:\n/m);
    assert.match(examples, /^ {2}harness-ws-server/, path.join(" "));
  }
});

Deno.test("help: printed on stdout with 0, without side effects", async () => {
  for (const args of [["--help"], ["help", "deploy"], ["rollback", "--help"], ["deploy", "-h"]]) {
    const { code, stdout, stderr } = await runCli(args, {
      env: { HARNESS_URL: "ws://127.0.0.1:9" },
    });
    assert.equal(code, 0, `${args}`);
    assert.match(stdout, /^Usage: harness-ws-server/);
    assert.equal(stderr, "");
  }
  for (const args of [["--version"], ["-V"]]) {
    const { code, stdout } = await runCli(args);
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^harness-ws-server \d+\.\d+\.\d+ \(protocol harness\.v1 version 1, deno /,
    );
  }
});

Deno.test("usage: a wrong or missing command or argument exits with 2", async () => {
  const cases: Array<[string[], RegExp]> = [
    [["servces"], /unknown command 'servces': did you mean services\?/],
    [["service", "strat"], /unknown command 'strat': did you mean start\?/],
    [["deploy"], /missing required argument 'package'/],
    [["service", "get"], /missing required argument 'name'/],
    [["deployments", "shwo"], /unknown command 'shwo'|too many arguments/],
    [["completions", "tcsh"], /unknown command 'tcsh': did you mean bash\?/],
    [["services", "--nonsense"], /unknown option '--nonsense'/],
    [["services", "--timeout", "soon"], /--timeout: "soon" must be a duration/],
  ];
  for (const [args, pattern] of cases) {
    const { code, stdout, stderr } = await runHere(args);
    assert.equal(code, 2, `${args}: ${stderr}`);
    assert.equal(stdout, "");
    assert.match(stderr, pattern);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  }
  const group = await runHere(["service"]);
  assert.equal(group.code, 2);
  assert.match(group.stderr, /^Usage: harness-ws-server service /);
});

Deno.test("errors: a stack trace only with --debug", async () => {
  const args = ["service", "get", "x", "--url", "ws://127.0.0.1:9"];
  const plain = await runCli(args);
  assert.doesNotMatch(plain.stderr, /^\s+at /m);
  for (const debugged of [[...args, "--debug"], ["--debug", ...args]]) {
    const { code, stderr } = await runCli(debugged);
    assert.equal(code, 4);
    assert.match(stderr, /^\s+at /m);
  }
});

Deno.test("errors: missing permissions are named in one line", async () => {
  const main = new URL("../../src/cli/main.ts", import.meta.url).pathname;
  const run = async (...flags: string[]) => {
    const args = ["run", "--quiet", "--no-prompt", ...flags, main];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  };
  const none = await run();
  assert.equal(none.code, 1);
  assert.match(none.stderr, /^harness-ws-server: .*--allow-read.* \[forbidden\]\n$/);
  const state = await run("--allow-env", "--allow-read", "--allow-sys");
  assert.equal(state.code, 1);
  assert.match(state.stderr, /^harness-ws-server: .*--allow-write.* \[storage_unavailable\]\n$/);
});

Deno.test("withDefaultCommand(): serve is the default", () => {
  assert.deepEqual(withDefaultCommand([]), ["serve"]);
  assert.deepEqual(withDefaultCommand(["--listen", "x"]), ["serve", "--listen", "x"]);
  assert.deepEqual(withDefaultCommand(["--debug"]), ["--debug", "serve"]);
  assert.deepEqual(withDefaultCommand(["--debug", "services"]), ["--debug", "services"]);
  for (const args of [["--help"], ["-V"], ["services", "--json"]]) {
    assert.deepEqual(withDefaultCommand(args), args);
  }
});

Deno.test("docs/cli.md: has every command and every flag", async () => {
  const docs = await Deno.readTextFile(new URL("../../docs/cli.md", import.meta.url));
  for (const [path, command] of commands(await wholeProgram())) {
    if (command.commands.length === 0) {
      const said = docs.includes(`harness-ws-server ${path.join(" ")}`) ||
        path.length === 2 && docs.includes(`\`${path[1]}\``) ||
        path.join(" ") === "deployments list";
      assert.ok(said, `docs/cli.md does not show: ${path.join(" ")}`);
    }
    for (const { long, hidden } of command.options) {
      if (hidden === true) continue;
      assert.ok(docs.includes(long), `docs/cli.md does not name ${long} of ${path.join(" ")}`);
    }
  }
});

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Command } from "../../src/cli/command_line/command.ts";
import { parseBashLine, quoteForBash } from "../../src/cli/completion/bash_words.ts";
import { kindAt } from "../../src/cli/completion/value_kinds.ts";
import { runHere, wholeProgram } from "../helpers/cli.ts";
import { eventually } from "../helpers/raw_client.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { startServer } from "../helpers/test_server.ts";

const SHELLS = ["bash", "zsh", "fish", "powershell"];
/** Nobody listens there. */
const DEAD = { HARNESS_URL: "ws://127.0.0.1:9" };

/** What is offered for the last of the words; the words alone, without what is said about them. */
async function offered(words: readonly string[], env: Record<string, string> = DEAD) {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  const args = ["complete", "fish", `--current=${current}`, "--", ...before];
  const { code, stdout, stderr } = await runHere(args, env);
  assert.deepEqual([code, stderr], [0, ""]);
  const [directive, ...lines] = stdout.trimEnd().split("\n");
  return { directive, words: lines.map((line) => line.split("\t")[0]) };
}

Deno.test("completions: commands, flags and choices", async () => {
  const cases: Array<[string[], string[]]> = [
    [["roll"], ["rollback"]],
    [["help", "roll"], ["rollback"]],
    [["help", "service", "sta"], ["start"]],
    [["service", "sta"], ["start"]],
    [["completions", "install", "f"], []],
    [["services", "--st"], ["--state"]],
    [["services", "--state", "fa"], ["failed"]],
    [["services", "--state=fa"], ["--state=failed"]],
    [["deploy", "x", "--on-unreachable", ""], ["fail", "skip"]],
    // `serve` is meant where no command is named.
    [["--liste"], ["--listen", "--listener"]],
    [["--listen", ":1", "--log-level", "d"], ["debug"]],
    // A flag that was given is not offered again, but for a repeatable one.
    [["services", "--state", "failed", "--st"], []],
    [["deploy", "x", "--host", "a", "--hos"], ["--host", "--hosts-file", "--host-key-policy"]],
    // After -- nothing is a flag, and a value is no command.
    [["services", "--", "--st"], []],
    [["services", "--label", "roll"], []],
    [["nonsense", "x"], []],
    [["watch", "--event", "service_r"], ["service_registered"]],
  ];
  for (const [typed, wanted] of cases) {
    assert.deepEqual((await offered(typed)).words, wanted, typed.join(" "));
  }
});

Deno.test("completions: the shell completes files and directories", async () => {
  const cases: Array<[string[], string]> = [
    [["serve", "--config", ""], ":files"],
    [["serve", "--tls-cert=x"], ":files"],
    [["package", "build", ""], ":dirs"],
    [["deploy", "x", "--secret-file", "K="], ":files"],
    [["deploy", "x", "--secret-file", "K"], ":"],
    [["services", ""], ":"],
  ];
  for (const [typed, wanted] of cases) {
    assert.equal((await offered(typed)).directive, wanted, typed.join(" "));
  }
});

Deno.test("completions: names of the server on the line", async () => {
  await using server = await startServer({ listener: "deno" });
  const execution = { type: "managed_process", command: "/x" } as const;
  const local = { name: "web", version: "1", execution };
  await server.registry.register(local);
  const location = { type: "remote", host: "h1", ssh_user: "u" } as const;
  const endpoints = [{ name: "http", address: "h1:80", protocol: "http" as const }];
  await server.registry.register({ ...local, name: "api", id: "api@h1", location, endpoints });
  // A shell is not kept waiting: what comes after a second, as the first answers on a busy machine, is not offered.
  const at = (words: string[], expected: string[]) =>
    eventually(async () => {
      const [command = "", ...others] = words;
      const found = await offered([command, "--url", server.url, ...others]);
      return JSON.stringify(found.words) === JSON.stringify(expected);
    }, `${expected.join()} for ${words.join(" ")}`);
  await at(["services", ""], ["api@h1", "web"]);
  await at(["services", "w"], ["web"]);
  await at(["resolve", "a"], ["api"]);
  await at(["resolve", "api", "--endpoint", ""], ["http"]);
  await at(["doctor", "--host", "me@h1"], ["me@h1"]);
  // The server has just answered in time: that nothing is offered is its answer.
  await at(["services", "w"], ["web"]);
  await at(["services", "*"], []);
});

Deno.test("completions: package files are in order", async () => {
  await using dir = await tempDir();
  const names = ["c", "a", "e", "b", "d"].map((name) => `${dir.path}/${name}-1.0.0.tar.gz`);
  for (const name of names) await Deno.writeTextFile(name, "");
  assert.deepEqual((await offered(["deploy", `${dir.path}/`])).words, names.toSorted());
});

Deno.test("completions: every value says how it is completed", async () => {
  const unsaid: string[] = [];
  const walk = (command: Command, path: string) => {
    for (const argument of command.args) {
      if (path.startsWith("completions")) continue;
      if (kindAt({ path, argument, option: null }) === null) {
        unsaid.push(`${path} <${argument.name}>`);
      }
    }
    for (const option of command.options) {
      const takesValue = option.takesValue;
      if (takesValue && kindAt({ path, option, argument: null }) === null) {
        unsaid.push(`${path} ${option.flags}`);
      }
    }
    for (const child of command.commands) walk(child, `${path} ${child.name}`.trim());
  };
  walk(await wholeProgram(), "");
  assert.deepEqual(unsaid, [], "add them to src/cli/completion/value_kinds.ts");
});

Deno.test("parseBashLine: words, the one at the cursor, quotes", () => {
  const breaks = " \t\n\"'@><=;|&(:";
  const cases: Array<[string, string[], string, number, string]> = [
    ["p ", ["p"], "", 0, ""],
    ["p serv", ["p"], "serv", 0, ""],
    ["p a\\ b 'c d' e", ["p", "a b", "c d"], "e", 0, ""],
    ["p --url=ws", ["p"], "--url=ws", 6, ""],
    // The @ is in what bash replaces, other marks are not.
    ["p me@ho", ["p"], "me@ho", 2, ""],
    ["p h:2", ["p"], "h:2", 2, ""],
    ['p "a b', ["p"], "a b", 0, '"'],
    ["p 'it", ["p"], "it", 0, "'"],
    ["p $(x", ["p"], "$(x", 2, ""],
    ["p '' ", ["p", ""], "", 0, ""],
    ["p x\\", ["p"], "x", 0, ""],
  ];
  for (const [line, words, current, replacedFrom, quote] of cases) {
    assert.deepEqual(parseBashLine(line, breaks), { words, current, replacedFrom, quote }, line);
  }
});

Deno.test("quoteForBash: bash reads back the same word", async () => {
  const words = [
    "web",
    "a b",
    "$(id)",
    "`id`",
    "it's",
    'say "x"',
    "a\\b",
    "*?[x]{a,b}",
    "~x",
    "é!",
  ];
  for (const quote of ["", "'", '"'] as const) {
    const written = words.map((word) => [word, quoteForBash(word, quote)] as const)
      .filter((pair): pair is readonly [string, string] => pair[1] !== null);
    const script = `printf '%s\\n' ${written.map(([, text]) => quote + text + quote).join(" ")}`;
    const { stdout } = await new Deno.Command("bash", { args: ["-c", script] }).output();
    const read = new TextDecoder().decode(stdout).trimEnd().split("\n");
    assert.deepEqual(read, written.map(([word]) => word));
  }
});

Deno.test("completions: bash parses its script", async () => {
  for (const shell of SHELLS) {
    const { code, stdout } = await runHere(["completions", shell]);
    assert.equal(code, 0);
    assert.match(stdout, /harness-ws-server/);
    assert.doesNotMatch(stdout, /@PROGRAM@/);
    if (shell !== "bash") continue;
    const { success } = await new Deno.Command("bash", { args: ["-n", "-c", stdout] }).output();
    assert.ok(success);
  }
});

Deno.test("completions install: twice is once, uninstall undoes it", async () => {
  for (const shell of SHELLS) {
    await using dir = await tempDir();
    const env = { HOME: dir.path, SHELL: `/bin/${shell === "powershell" ? "pwsh" : shell}` };
    const rc = join(dir.path, shell === "bash" ? ".bashrc" : ".zshrc");
    const isRc = shell === "bash" || shell === "zsh";
    if (isRc) await Deno.writeTextFile(rc, "alias x=y", { mode: 0o600 });
    const first = await runHere(["completions", "install"], env);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /^wrote {2}\//);
    assert.match(first.stderr, /open a new/);
    if (isRc) {
      const text = await Deno.readTextFile(rc);
      assert.match(text, /^alias x=y\n# >>> .+ >>>\nif .+\n# <<< .+ <<<\n$/);
      assert.equal((await Deno.stat(rc)).mode! & 0o777, 0o600);
    }
    const again = await runHere(["completions", "install", shell], env);
    assert.ok(again.stdout.trimEnd().split("\n").every((line) => line.startsWith("unchanged")));
    const gone = await runHere(["completions", "uninstall", shell], env);
    assert.match(gone.stdout, /^removed {2}\//m);
    if (isRc) assert.equal(await Deno.readTextFile(rc), "alias x=y\n");
    const nothing = await runHere(["completions", "uninstall", shell], env);
    assert.match(nothing.stderr, /nothing is installed/);
  }
});

Deno.test("completions install: refuses what it cannot do", async () => {
  await using dir = await tempDir();
  const unknown = await runHere(["completions", "install"], { HOME: dir.path, SHELL: "/bin/tcsh" });
  assert.match(unknown.stderr, /\$SHELL names none of bash, zsh, fish, powershell/);
  const typo = await runHere(["completions", "install", "bsh"], { HOME: dir.path });
  assert.match(typo.stderr, /"bsh" must be one of .+ did you mean bash\?/);
  await Deno.writeTextFile(join(dir.path, ".local"), "a file");
  const blocked = await runHere(["completions", "install", "zsh"], { HOME: dir.path });
  assert.match(blocked.stderr, /Cannot change .+\.zsh: .+completions <shell>/);
  assert.equal(await Deno.stat(join(dir.path, ".zshrc")).catch(() => null), null);
});

/** What users see: the main commands in terminals of three widths, and in a pipe. */
import assert from "node:assert/strict";
import { buildHello } from "../helpers/hello_package.ts";
import { programCommand, runCli, runHere, startServer, type TestServer } from "../helpers/cli.ts";
import { Terminal } from "../helpers/pty.ts";
import { needs } from "../helpers/require.ts";
import { removeTree } from "../helpers/remove_tree.ts";

/** Run one after the other in each terminal. */
const COMMANDS = [
  "services",
  "services --wide",
  "services 'api-*' --state running",
  "service get web@host1",
  "service get nobody",
  "service register web --version 2 --command /usr/bin/web",
  "service stop db --dry-run --cascade",
  "service stop db",
  "service start talker --quiet",
  "service logs talker -n 1",
  "service logs talker web@host1 --since yesterday",
  "service stop talker",
  "service stop talker",
  "endpoints",
  "resolve web",
  "deployments",
  "package list",
  "doctor --url ws://127.0.0.1:9",
  "servces",
  "watch --events --state running",
] as const;

const WIDTHS = [60, 100, 160] as const;

/** Services as a first project has them, one with a long reason, one in another script. */
async function prepare(server: TestServer): Promise<void> {
  const run = async (...args: string[]) => {
    const { code, stderr } = await runHere(args, { HARNESS_URL: server.url });
    assert.equal(code, 0, stderr);
  };
  const register = (...args: string[]) => run("service", "register", ...args);
  await register("db", "--version", "16.1", "--systemd", "postgresql.service");
  await register(
    ...["web", "--id", "web@host1", "--version", "1.2.3", "--command", "/usr/bin/web"],
    ...["--host", "deploy@host1:2222", "--endpoint", "http=http://host1:8080"],
    ...["--depends-on", "db", "--label", "tier=front", "--label", "team=東京"],
  );
  await register("talker", "--version", "1", "--command", "/bin/sh", "--arg=-c", "--arg", TALKER);
  const dir = await Deno.makeTempDir({ prefix: "harness-transcript-" });
  try {
    const { path } = await buildHello(dir, { version: "1.0.0", port: 8080 });
    await run("package", "push", path);
  } finally {
    await removeTree(dir);
  }
}

const TALKER = "echo 'one line of its log, long enough for sixty columns'; exec sleep 1000";

/** The same text for every run: what differs keeps its length where lines may break. */
function normalized(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "2026-11-23T12:00:00Z")
    .replace(/127\.0\.0\.1:\d{5}/g, "127.0.0.1:12345")
    .replace(/\b[0-9a-f]{64}\b/g, "0".repeat(64))
    .replace(/^( {4})[0-9a-f]{56}\n[0-9a-f]{8}$/gm, `$1${"0".repeat(56)}\n${"0".repeat(8)}`)
    .replace(/\b\d\.\d(?=KiB)/g, "4.1")
    .replace(/\b\d+[sm]( ago|(?= *$)|(?=  +\S))/gm, "5s$1")
    .replace(/\bpid \d+/g, "pid 4711")
    .replace(/deno \d\S+ on [\w ]+/g, "deno 2.9.6 on linux x64")
    .replace(/ +$/gm, "");
}

/** All commands with what they print, in a terminal. */
async function transcript(server: TestServer, columns: number, env: Record<string, string>) {
  const { program, args, env: whole } = programCommand([], {
    env: { HARNESS_URL: server.url, HARNESS_STATE_DIR: "/tmp", ...env },
  });
  const lines = COMMANDS.map((command) => {
    return `echo '$ '${JSON.stringify(command)}; "$@" ${command}; echo "[$?]"`;
  });
  const terminal = new Terminal(["sh", "-c", lines.join("\n"), "sh", program, ...args], {
    columns,
    rows: 40,
    env: whole,
  });
  await terminal.ended;
  return terminal;
}

/** Rows that the terminal itself had to break, where there was a space to break at. */
function brokenRows({ emulator }: Terminal): string[] {
  const buffer = emulator.buffer.active;
  return Array.from({ length: buffer.length }, (_, row) => buffer.getLine(row))
    .flatMap((line, row) => {
      if (line?.isWrapped !== true) return [];
      const before = buffer.getLine(row - 1)?.translateToString(true) ?? "";
      return /\S {1,2}\S/.test(before.replace(/^\$ .*/, "").trim()) ? [before] : [];
    });
}

Deno.test("transcript: every main command, at every width", {
  ignore: needs("python3"),
}, async (t) => {
  await using server = await startServer();
  await prepare(server);
  // One after the other: they start and stop the same service.
  for (const columns of WIDTHS) {
    await using terminal = await transcript(server, columns, { NO_COLOR: "1" });
    const text = normalized(terminal.scrollback);
    assert.deepEqual(brokenRows(terminal), [], `${columns} columns`);
    assert.ok(!terminal.output.includes("\x1b["), `${columns} columns without colour`);
    await t.assertSnapshot(text, { name: `${columns} columns` });
  }
  const piped: string[] = [];
  const quoted = (command: string) => command.replaceAll("'", "").split(" ");
  for (const command of COMMANDS.slice(0, 5)) {
    const env = { HARNESS_URL: server.url, COLUMNS: "60" };
    const { code, stdout, stderr } = await runHere(quoted(command), env);
    piped.push(`$ ${command}\n${stdout}${stderr}[${code}]`);
  }
  await t.assertSnapshot(normalized(piped.join("\n")), { name: "in a pipe" });
});

Deno.test("transcript: colours where a terminal wants them", {
  ignore: needs("python3"),
}, async () => {
  await using server = await startServer();
  await prepare(server);
  const cases: Array<[Record<string, string>, boolean]> = [
    [{}, true],
    [{ NO_COLOR: "1" }, false],
    [{ TERM: "dumb" }, false],
    [{ TERM: "dumb", FORCE_COLOR: "1" }, true],
    [{ FORCE_COLOR: "0" }, false],
  ];
  for (const [env, colored] of cases) {
    await using terminal = Terminal.program(["services"], {
      env: { HARNESS_URL: server.url, ...env },
    });
    assert.equal((await terminal.ended).code, 0);
    assert.equal(terminal.output.includes("\x1b[1mID"), colored, JSON.stringify(env));
    assert.match(terminal.screen, /^ID +STATE/);
  }
  const forced = await runCli(["services"], {
    env: { HARNESS_URL: server.url, FORCE_COLOR: "1" },
  });
  assert.ok(forced.stdout.includes("\x1b[1mID"));
});

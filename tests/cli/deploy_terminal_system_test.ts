import assert from "node:assert/strict";
import { textWidth } from "../../src/cli/output/text_layout.ts";
import { programCommand, runHere } from "../helpers/cli.ts";
import { Terminal, type TerminalOptions } from "../helpers/pty.ts";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";
import { type Fixture, fixture } from "./deploy_fixture.ts";

/** Sizes of terminals, and what is set in their shells. */
const TERMINALS = [
  { columns: 60, rows: 24, env: { NO_COLOR: "1" } },
  { columns: 100, rows: 24, env: {} },
  { columns: 160, rows: 24, env: { NO_COLOR: "1" } },
];

/** What a user can read at the end, without what differs from run to run. */
function transcript({ scrollback }: Pick<Terminal, "scrollback">): string {
  return scrollback
    .replace(/d-\d{8}-\d{6}-[0-9a-f]{8}/g, "d-ID")
    .replace(/\b(?:\d+m)?\d+s(?= |$)/gm, "Ns");
}

/** What was seen in one terminal. */
interface Run {
  readonly output: string;
  readonly scrollback: string;
  readonly columns: number;
  readonly code: number | null;
}

/** Runs `args` in terminals of all sizes, below an install root of its own each. */
async function inTerminals(
  it: Fixture,
  name: string,
  argsFor: (root: string) => string[],
): Promise<Run[]> {
  return await Promise.all(TERMINALS.map(async (options) => {
    const root = `${it.dir}/${name}-${options.columns}`;
    await Deno.mkdir(root, { recursive: true });
    await using terminal = Terminal.program(argsFor(root), options);
    const { code } = await terminal.ended;
    const { output, scrollback } = terminal;
    const isPlain = "NO_COLOR" in options.env;
    // deno-lint-ignore no-control-regex -- colours are control sequences
    assert.equal(/\x1b\[3\dm/.test(output), !isPlain, name);
    return { output, scrollback, columns: options.columns, code };
  }));
}

const direct = (root: string) => ["--direct", "--ssh-config", "none", "--install-root", root];

Deno.test("deploy: in terminals of 60, 100 and 160 columns", {
  ignore: needs("python3"),
}, async (t) => {
  await using it = await fixture();
  await t.step("a deployment that succeeds", async (t) => {
    const args = (root: string) => ["deploy", it.file("1.0.0"), "--local", ...direct(root)];
    for (const run of await inTerminals(it, "good", args)) {
      assert.equal(run.code, 0);
      await t.assertSnapshot(transcript(run));
      // deno-lint-ignore no-control-regex -- colours are control sequences
      const output = run.output.replace(/\x1b\[\d+m/g, "");
      assert.match(output, /. local +\w+ +\d+s +[█░]{6,24} +\d+%/);
    }
  });
  await t.step("then one that fails and is rolled back", async (t) => {
    // Its start script is waited for: so it is always its start that fails, however busy the machine is.
    const manifest = await Deno.readTextFile(`${it.dir}/svc/manifest.yaml`);
    await Deno.writeTextFile(
      `${it.dir}/svc/manifest.yaml`,
      manifest.replace("start: foreground", "start: daemon"),
    );
    const { code, stderr } = await runHere([
      ...["package", "build", `${it.dir}/svc`, "--version", "3.1.0", "--out", it.dir],
    ]);
    assert.equal(code, 0, stderr);
    const args = (root: string) => [
      ...["deploy", it.file("3.1.0"), "--local", "--install-root", root],
      ...["--direct"],
    ];
    const texts = (await inTerminals(it, "good", args)).map((run) => {
      assert.equal(run.code, 6);
      assertWrapped(run);
      return transcript(run).split(/\s+/).join(" ");
    });
    // The directory has another length elsewhere, and then the lines break at other words.
    const [narrow = "", medium = "", wide = ""] = texts.map((text, index) => {
      const root = `${it.dir}/good-${TERMINALS[index]?.columns}`;
      // A terminal breaks what is wider than itself.
      return index === 2
        ? text.replaceAll(root, "ROOT")
        : text.replaceAll(" ", "").replaceAll(root, "ROOT");
    });
    await t.assertSnapshot(wide);
    assert.equal(medium, wide.replaceAll(" ", ""));
    assert.equal(narrow, wide.replaceAll(" ", ""));
  });
  await t.step("a host that is not there", async (t) => {
    const args = (root: string) => [
      ...["deploy", it.file("1.0.0"), "--host", "deploy@127.0.0.1:9", ...direct(root)],
    ];
    for (const run of await inTerminals(it, "away", args)) {
      assert.equal(run.code, 4);
      assertWrapped(run);
      await t.assertSnapshot(transcript(run));
    }
  });
  await t.step("more hosts than rows", async (t) => {
    const hosts = Array.from({ length: 30 }, (_, index) => `user${index}@127.0.0.1:9`);
    const args = (root: string) => [
      ...["deploy", it.file("1.0.0"), ...hosts.flatMap((host) => ["--host", host])],
      ...["--max-failures", "30", ...direct(root)],
    ];
    for (const run of await inTerminals(it, "many", args)) {
      assert.equal(run.code, 4);
      assertWrapped(run);
      assert.match(run.output, /30 hosts: /);
      await t.assertSnapshot(transcript(run));
    }
  });
});

/** No line is wider than the terminal, but for a word that is. */
function assertWrapped({ scrollback, columns }: Run): void {
  for (const line of scrollback.split("\n")) {
    assert.ok(textWidth(line) <= columns, line);
  }
}

Deno.test("deploy: an unknown host key is told whole, in a terminal", {
  ignore: needs("python3", "sshd"),
}, async () => {
  await using it = await fixture();
  await using sshd = await startSshd();
  const knownHosts = `${it.dir}/known_hosts`;
  await Deno.writeTextFile(knownHosts, "");
  const args = (root: string) => [
    ...["deploy", it.file("1.0.0"), "--host", `${sshd.user}@${sshd.host}:${sshd.port}`],
    ...["--identity", sshd.identityFile, "--known-hosts", knownHosts, ...direct(root)],
  ];
  for (const run of await inTerminals(it, "key", args)) {
    assert.equal(run.code, 4);
    const words = run.scrollback.split(/\s+/).join("");
    for (
      const part of [
        /hostkeyssh-ed25519SHA256:[A-Za-z0-9+/]{43}isnotknown/,
        new RegExp(`ssh-keyscan-ted25519-p${sshd.port}127\\.0\\.0\\.1>>${knownHosts}`),
        /oruse--host-key-policyaccept-new/,
      ]
    ) assert.match(words, part);
  }
});

Deno.test("deploy: what goes to a terminal, a file, a dumb terminal", {
  ignore: needs("python3"),
}, async (t) => {
  await using it = await fixture();
  const deploy = (name: string, redirect: string, options: TerminalOptions = {}) => {
    const { program, args, env } = programCommand([
      ...["deploy", it.file("1.0.0"), "--local", "--direct", "--install-root", `${it.dir}/${name}`],
    ], { env: options.env ?? {} });
    Deno.mkdirSync(`${it.dir}/${name}`);
    const script = `"$0" "$@" ${redirect.replace("FILE", `${it.dir}/${name}.txt`)}`;
    return new Terminal(["sh", "-c", script, program, ...args], { ...options, env });
  };
  const fileOf = (name: string) => Deno.readTextFile(`${it.dir}/${name}.txt`);
  await t.step("stdout is a file: the lines of the hosts stay", async () => {
    await using terminal = deploy("out", "> FILE");
    assert.equal((await terminal.ended).code, 0);
    assert.match(
      transcript(terminal),
      /^✓ local {2}ok +Ns {2}█+ 100%\nd-ID: deploy of svc 1\.0\.0 succeeded$/,
    );
    assert.match(await fileOf("out"), /^HOST +OUTCOME +STEP +TIME\nlocal +ok +finish +\d+s\n$/);
  });
  await t.step("stderr is a file: plain lines there", async () => {
    await using terminal = deploy("err", "2> FILE");
    assert.equal((await terminal.ended).code, 0);
    assert.match(transcript(terminal), /^HOST +OUTCOME +STEP +TIME\nlocal +ok +finish +Ns$/);
    const lines = await fileOf("err");
    assert.match(lines, /^local +health +done/m);
    assert.equal(lines.includes("\x1b"), false);
  });
  for (const env of [{ TERM: "dumb" }, { CI: "true" }]) {
    const [[name = "", value = ""] = []] = Object.entries(env);
    await t.step(`${name}=${value}: plain lines, no sequences`, async () => {
      await using terminal = deploy(name, "", { env });
      assert.equal((await terminal.ended).code, 0);
      assert.match(terminal.screen, /^local +upload +started$/m);
      assert.equal(terminal.output.includes("\x1b"), false);
    });
  }
});

Deno.test("deploy: the window changes its size meanwhile", {
  ignore: needs("python3"),
}, async () => {
  await using it = await fixture();
  await using terminal = Terminal.program([
    ...["deploy", it.file("4.0.0"), "--local", "--direct", "--install-root", it.root],
  ], { columns: 100, rows: 24 });
  const lines = () => terminal.screen.split("\n");
  await terminal.until(({ screen }) => /^. local +health +\d+s .*66%/m.test(screen));
  for (const [columns, rows] of [[50, 10], [160, 40], [30, 5]] as const) {
    await terminal.resize(columns, rows);
    const before = terminal.output.length;
    // Two frames: the second is drawn over the first of this size.
    await terminal.until(({ output }) => output.slice(before).split("\x1b[J").length > 3);
    assert.equal(lines().length, 1, terminal.scrollback);
    assert.match(lines()[0] ?? "", /local/);
  }
  await terminal.type("\x03");
  assert.equal((await terminal.ended).code, 130);
  assert.doesNotMatch(terminal.scrollback, /local +health +\d+s .*%/);
});

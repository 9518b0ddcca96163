/**
 * Tab in real shells, each in a terminal of its own, against a real server.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { denoDir, runCli, startServer } from "../helpers/cli.ts";
import { Terminal } from "../helpers/pty.ts";
import { type Component, needs } from "../helpers/require.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { ScriptedServer } from "../client/scripted_server.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;
const PROMPT = "ready> ";

/** A way to start a shell, and what must be installed for it. */
interface Setup {
  readonly title: string;
  readonly shell: "bash" | "zsh" | "fish";
  readonly needs: readonly Component[];
  /** The start-up file before the installation. */
  readonly rc: string;
  /** Whether the shell shows files for a flag that takes one, escaped in its own way. */
  readonly spaceInFile: string;
}

const SETUPS: readonly Setup[] = [
  { title: "bash", shell: "bash", needs: [], rc: "", spaceInFile: "a\\ b" },
  {
    title: "bash with bash-completion",
    shell: "bash",
    needs: ["bash-completion"],
    rc: ". /usr/share/bash-completion/bash_completion\n",
    spaceInFile: "a\\ b",
  },
  { title: "zsh without compinit", shell: "zsh", needs: ["zsh"], rc: "", spaceInFile: "a\\ b" },
  {
    title: "zsh with compinit",
    shell: "zsh",
    needs: ["zsh"],
    rc: "autoload -Uz compinit && compinit -u\n",
    spaceInFile: "a\\ b",
  },
  { title: "fish", shell: "fish", needs: ["fish"], rc: "", spaceInFile: "a\\ b" },
];

const START: Readonly<Record<Setup["shell"], readonly string[]>> = {
  bash: ["bash", "--rcfile", ".bashrc", "-i"],
  zsh: ["zsh", "-i"],
  fish: ["fish", "-i"],
};

/** A home directory with the program on its PATH and the completions of one shell installed. */
async function home(setup: Setup, url: string) {
  const dir = await tempDir();
  const { path } = dir;
  const bin = join(path, "bin");
  await Deno.mkdir(join(path, ".ssh"), { recursive: true });
  await Deno.mkdir(bin);
  await Deno.mkdir(join(path, ".config/fish"), { recursive: true });
  const program = `#!/bin/sh\nexec '${Deno.execPath()}' run -A '${MAIN}' "$@"\n`;
  await Deno.writeTextFile(join(bin, "harness-ws-server"), program, { mode: 0o755 });
  await Deno.writeTextFile(join(path, ".bashrc"), `${setup.rc}PS1='${PROMPT}'\n`);
  await Deno.writeTextFile(join(path, ".zshrc"), `${setup.rc}PS1='${PROMPT}'\nunsetopt beep\n`);
  await Deno.writeTextFile(
    join(path, ".config/fish/config.fish"),
    `set fish_greeting\nfunction fish_prompt; echo -n '${PROMPT}'; end\n`,
  );
  await Deno.writeTextFile(join(path, ".ssh/config"), "Host bastion\n  User x\nHost *.example\n");
  await Deno.writeTextFile(join(path, "svc-$(touch pwned)-1.0.0.tar.gz"), "");
  await Deno.mkdir(join(path, "a b"));
  const env = {
    HOME: path,
    PATH: `${bin}:${Deno.env.get("PATH")}`,
    SHELL: `/usr/bin/${setup.shell}`,
    HARNESS_URL: url,
    DENO_DIR: await denoDir(),
    LANG: "C.UTF-8",
  };
  const installed = await runCli(["completions", "install"], { env });
  assert.equal(installed.code, 0, installed.stderr);
  return { path, env, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

/** A shell at its prompt, in which lines are typed and completed. */
class TypedShell implements AsyncDisposable {
  readonly terminal: Terminal;
  readonly #shell: Setup["shell"];

  constructor(terminal: Terminal, shell: Setup["shell"]) {
    this.terminal = terminal;
    this.#shell = shell;
  }

  static async start(setup: Setup, env: Record<string, string>): Promise<TypedShell> {
    const cwd = env["HOME"] ?? "";
    const terminal = new Terminal(START[setup.shell], { columns: 160, env, cwd });
    const shell = new TypedShell(terminal, setup.shell);
    await terminal.until(() => shell.line === "");
    return shell;
  }

  /** What stands behind the last prompt. */
  get line(): string | null {
    const { screen } = this.terminal;
    const at = screen.lastIndexOf(PROMPT.trimEnd());
    return at < 0 ? null : screen.slice(at + PROMPT.length).trimEnd();
  }

  /** Types a line and Tab, waits for what the line becomes (and for words below it), and empties it. */
  async complete(typed: string, wanted: string | RegExp): Promise<void> {
    await this.offer(
      typed,
      () => typeof wanted === "string" ? this.line === wanted : wanted.test(this.terminal.screen),
      String(wanted),
    );
    await this.clear();
  }

  /** Types a line and Tab; again where nothing was offered: a shell is not kept waiting for a server that is busy. */
  async offer(typed: string, isThere: () => boolean, wanted: string): Promise<void> {
    await this.terminal.type(`${typed}\t`);
    for (let tries = 1;; tries++) {
      try {
        return await this.terminal.until(isThere, 10_000);
      } catch (error) {
        if (tries === 12) throw new Error(`${typed}<Tab> did not give ${wanted}`, { cause: error });
      }
      if (this.line === typed.trimEnd()) await this.terminal.type("\t");
    }
  }

  async clear(): Promise<void> {
    for (let tries = 1;; tries++) {
      try {
        return await this.#clearOnce();
      } catch (error) {
        // fish may still have been at the candidates of a Tab, and shows the line again after the keys.
        if (tries === 12) throw error;
      }
    }
  }

  async #clearOnce(): Promise<void> {
    // Ctrl-C also leaves the list of candidates of fish; Ctrl-U empties the line, Ctrl-L the screen.
    if (this.#shell === "fish") {
      await this.terminal.type("\x03");
      await this.terminal.until(() => this.line === "", 10_000);
    }
    await this.terminal.type("\x15\x0c");
    await this.terminal.until(({ screen }) => screen.trim() === PROMPT.trim(), 10_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminal[Symbol.asyncDispose]();
  }
}

for (const setup of SETUPS) {
  Deno.test({
    name: `completions: Tab in ${setup.title}`,
    ignore: needs("python3", ...setup.needs),
    async fn() {
      await using server = await startServer();
      for (
        const [name, ...more] of [["web"], ["api", "--id", "api@h1"], ["api", "--id", "api@h2"]]
      ) {
        const args = [
          "service",
          "register",
          `${name}`,
          ...more,
          "--version",
          "1",
          "--command",
          "/x",
        ];
        const { code, stderr } = await runCli(args, { env: { HARNESS_URL: server.url } });
        assert.equal(code, 0, stderr);
      }
      await using user = await home(setup, server.url);
      await using shell = await TypedShell.start(setup, user.env);
      const p = "harness-ws-server";
      await shell.complete(`${p} roll`, `${p} rollback`);
      await shell.complete(`${p} service rest`, `${p} service restart`);
      await shell.complete(`${p} deploy x --on-unr`, `${p} deploy x --on-unreachable`);
      await shell.complete(
        `${p} deploy x --on-unreachable sk`,
        `${p} deploy x --on-unreachable skip`,
      );
      await shell.complete(
        `${p} deploy x --on-unreachable=sk`,
        `${p} deploy x --on-unreachable=skip`,
      );
      await shell.complete(`${p} service restart w`, `${p} service restart web`);
      await shell.complete(`${p} resolve a`, `${p} resolve api`);
      // bash lists several candidates at the second Tab, without what stands before the @.
      await shell.complete(`${p} service get api@h\t`, /@h1[^]*@h2/);
      await shell.complete(`${p} doctor --host me@bas`, `${p} doctor --host me@bastion`);
      await shell.complete(`${p} serve --config a`, new RegExp(`--config (?:a\\\\ b|'a b'|"a b")`));
      await shell.complete(`${p} deploy svc-`, /svc-\\\$\\\(touch\\ pwned\\\)-1\.0\.0\.tar\.gz/);
      // Another server, a dead one: nothing, and no word about it.
      await shell.terminal.type(`${p} service restart --url ws://127.0.0.1:9 w\t`);
      await shell.terminal.type("eb");
      const whole = `${p} service restart --url ws://127.0.0.1:9 web`;
      await shell.terminal.until(() => shell.line === whole);
      assert.equal(shell.terminal.screen.trim(), `${PROMPT}${whole}`);
      await shell.clear();
      assert.equal(await Deno.stat(join(user.path, "pwned")).catch(() => null), null);
    },
  });
}

/** A server that gives its services names which no correct server allows. */
async function hostileServer(names: readonly string[], use: (url: string) => Promise<void>) {
  await using server = new ScriptedServer();
  const ended = new AbortController();
  const answering = (async () => {
    while (!ended.signal.aborted) {
      const peer = await Promise.race([
        server.accept(),
        new Promise<null>((resolve) => ended.signal.addEventListener("abort", () => resolve(null))),
      ]);
      if (peer === null) return;
      peer.hello();
      void peer.request().then((request) =>
        peer.respond(request, {
          services: names.map((id) => ({ id, name: id, version: "1", state: "running" })),
          next_cursor: null,
          seq: 0,
        })
      );
    }
  })();
  try {
    await use(server.url);
  } finally {
    ended.abort();
    await answering;
  }
}

for (const setup of SETUPS) {
  Deno.test({
    name: `completions: a hostile server's names in ${setup.title}`,
    ignore: needs("python3", ...setup.needs),
    async fn() {
      const names = ["x$(touch pwned)`touch pwned`;a b'\"", "x\x1b[31m\nred"];
      await hostileServer(names, async (url) => {
        await using user = await home(setup, url);
        await using shell = await TypedShell.start(setup, user.env);
        const typed = "echo harness-ws-server; harness-ws-server service get x";
        await shell.offer(typed, () => /pwned/.test(shell.line ?? ""), "the name");
        // The line is executed with a program that prints its arguments.
        await Deno.writeTextFile(
          join(user.path, "bin/harness-ws-server"),
          `#!/bin/sh\nprintf '<%s>' "$3"; echo\n`,
        );
        await shell.terminal.type("\r");
        // As one argument.
        const argument = "<x$(touch pwned)`touch pwned`;a b'\">";
        await shell.terminal.until(({ screen }) => screen.includes(argument));
        assert.equal(await Deno.stat(join(user.path, "pwned")).catch(() => null), null);
      });
    },
  });
}

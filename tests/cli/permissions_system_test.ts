/**
 * Every command of the program with exactly the permissions that `deno task compile` puts into the binary.
 *
 * The program is one file that `deno bundle` makes, with the scripts inside and no access to this source; or, as in the
 * release workflow, the compiled binary that HARNESS_TEST_PROGRAM names.
 */
import assert from "node:assert/strict";
import type { Command } from "../../src/cli/command_line/command.ts";
import { PERMISSIONS } from "../../.ci/compile.ts";
import { bundle } from "../helpers/bundle.ts";
import { wholeProgram } from "../helpers/cli.ts";
import { answer, freePort } from "../helpers/hello_package.ts";
import { LineProcess } from "../helpers/lines.ts";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** All commands that have no commands below them, as words: `package build`. */
function leaves(parent: Command, path: readonly string[] = []): string[] {
  return parent.commands.flatMap((command) => {
    const here = [...path, command.name];
    return command.commands.length > 0 ? leaves(command, here) : [here.join(" ")];
  });
}

const ALL = leaves(await wholeProgram());

/** The command line of the program under test, without its arguments. */
async function programUnderTest(dir: string): Promise<string[]> {
  const given = Deno.env.get("HARNESS_TEST_PROGRAM");
  if (given !== undefined) return [given];
  const file = `${dir}/harness-ws-server.js`;
  await bundle({ entry: "src/cli/main.ts", out: file });
  return [
    Deno.execPath(),
    ...["run", "--no-config", "--no-lock", "--cached-only", ...PERMISSIONS],
    file,
  ];
}

/** Runs commands, and remembers which. */
class Runner {
  readonly used = new Set<string>();
  readonly #program: readonly string[];
  readonly #cwd: string;
  readonly #env: Record<string, string>;

  constructor(program: readonly string[], cwd: string) {
    this.#program = program;
    this.#cwd = cwd;
    this.#env = {
      PATH: Deno.env.get("PATH") ?? "",
      DENO_DIR: `${cwd}/deno`,
      HOME: cwd,
      XDG_RUNTIME_DIR: cwd,
    };
  }

  set url(url: string) {
    this.#env["HARNESS_URL"] = url;
  }

  /** The words of a command: the longest name that the arguments begin with. */
  #note(args: readonly string[]): void {
    for (const name of [args.slice(0, 2).join(" "), args[0] ?? ""]) {
      if (ALL.includes(name)) this.used.add(name);
    }
  }

  /** Runs to its end; fails when that is not `code`. */
  async run(args: readonly string[], code = 0): Promise<string> {
    this.#note(args);
    const [file = "", ...before] = this.#program;
    const result = await new Deno.Command(file, {
      args: [...before, ...args],
      cwd: this.#cwd,
      clearEnv: true,
      env: this.#env,
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    const [stdout, stderr] = [text.decode(result.stdout), text.decode(result.stderr)];
    assert.equal(result.code, code, `${args.join(" ")}: ${stdout}${stderr}`);
    assert.doesNotMatch(stderr, /NotCapable|[Rr]equires \w+ access/, args.join(" "));
    return stdout;
  }

  /** Starts one that goes on. */
  start(args: readonly string[]): LineProcess {
    this.#note(args);
    const [file = "", ...before] = this.#program;
    const options = { cwd: this.#cwd, clearEnv: true, env: this.#env };
    return new LineProcess(file, [...before, ...args], options);
  }
}

/** Packages 1.0.0 and 1.1.0 of the example, signed: everything that needs no server. */
async function makePackages(it: Runner, dir: string): Promise<string[]> {
  await it.run(["package", "init", `${dir}/new`]);
  await it.run(["package", "keygen", "--out", `${dir}/release`]);
  const tree = `${ROOT}examples/hello-service`;
  const files: string[] = [];
  for (const version of ["1.0.0", "1.1.0"]) {
    await it.run(["package", "build", tree, "--version", version, "--out", dir]);
    const file = `${dir}/hello-service-${version}.tar.gz`;
    await it.run(["package", "inspect", file]);
    await it.run(["package", "sign", file, "--key", `${dir}/release.key`]);
    await it.run(["package", "verify", file, "--key", `${dir}/release.pub`]);
    files.push(file);
  }
  await it.run(["token", "new", "--name", "ci", "--rights", "full"]);
  for (const shell of ["bash", "zsh", "fish", "powershell"]) {
    assert.match(await it.run(["completions", shell]), /harness-ws-server/);
    // HOME is a directory of this test.
    if (shell !== "powershell") {
      await it.run(["completions", "install", shell]);
      await it.run(["completions", "uninstall", shell]);
    }
  }
  return files;
}

async function tryRegistry(it: Runner): Promise<void> {
  const entry = ["--version", "16", "--command", "/bin/true"];
  await it.run(["service", "register", "db", ...entry, "--endpoint", "sql=tcp://127.0.0.1:9"]);
  await it.run(["service", "get", "db"]);
  assert.match(await it.run(["endpoints"]), /127\.0\.0\.1:9/);
  await it.run(["resolve", "db"], 1); // it does not run
  await it.run(["service", "deregister", "db"]);
}

/** Everything that is done with a service that was deployed. */
async function tryControl(it: Runner): Promise<void> {
  const name = "hello-service";
  const runs = async () => {
    const { version, state } = JSON.parse(await it.run(["service", "get", name, "--json"]));
    return `${version} ${state}`;
  };
  assert.match(await it.run(["services"]), /^hello-service +/m);
  assert.equal(await runs(), "1.1.0 running");
  await it.run(["service", "restart", name]);
  await it.run(["service", "reload", name], 1); // the example has no reload
  assert.match(await it.run(["service", "logs", name]), /listening on port/);
  await it.run(["service", "stop", name]);
  await it.run(["service", "start", name]);
  await it.run(["rollback", name, "--quiet"]);
  assert.equal(await runs(), "1.0.0 running");
}

async function tryDeployments(it: Runner): Promise<void> {
  const [last] = JSON.parse(await it.run(["deployments", "list", "--json"]));
  const id: string = last.deployment_id;
  await it.run(["deployments", "show", id]);
  await it.run(["deployments", "follow", id]);
  await it.run(["deployments", "resume", id], 1); // nothing is left to do
  await it.run(["deployments", "cancel", id]); // it has ended
}

Deno.test({
  name: "permissions: every command with those of the binary",
  ignore: needs("sshd"),
  async fn(t) {
    await using dir = await tempDir();
    await using sshd = await startSshd();
    const it = new Runner(await programUnderTest(dir.path), dir.path);
    const [v1 = "", v2 = ""] = await makePackages(it, dir.path);
    const ssh = [
      ...["--identity", sshd.identityFile, "--known-hosts", sshd.knownHostsFile],
      ...["--ssh-config", "none"],
    ];
    const host = `${sshd.user}@${sshd.host}:${sshd.port}`;
    const port = `HARNESS_PORT_HTTP=${freePort()}`;

    await using server = it.start([
      ...["serve", "--listen", "127.0.0.1:0", "--state-dir", `${dir.path}/state`],
      ...["--install-root", `${dir.path}/opt`, "--log-level", "error", ...ssh],
    ]);
    const ready = await server.line();
    it.url = /^harness-ws-server listening on (ws:\S+)/.exec(ready)?.[1] ?? assert.fail(ready);

    await t.step("registry", () => tryRegistry(it));
    await using watch = it.start(["watch", "--json"]);
    await t.step("packages of the server", async () => {
      await it.run(["package", "push", v1]);
      assert.match(await it.run(["package", "list"]), /hello-service/);
    });
    for (const target of [["--local"], ["--host", host]]) {
      await t.step(`deploy ${target[0]}, control, roll back`, async () => {
        await it.run(["deploy", "hello-service@1.0.0", ...target, "--env", port, "--quiet"]);
        await it.run(["deploy", v2, ...target, "--env", port, "--quiet"]);
        await tryControl(it);
        await it.run(["service", "stop", "hello-service"]);
        await it.run(["service", "deregister", "hello-service"]);
      });
    }
    await t.step("watch", async () => {
      assert.ok(JSON.parse(await watch.line()));
      watch.kill("SIGINT");
      assert.equal((await watch.status).code, 130);
    });
    await t.step("deployments", () => tryDeployments(it));
    await t.step("doctor", async () => {
      await it.run(["doctor", "--host", host, ...ssh, "--install-root", `${dir.path}/opt`]);
    });
    await t.step("deploy --direct, locally and over SSH", async () => {
      for (const [root, target] of [["d1", ["--local"]], ["d2", ["--host", host]]] as const) {
        const where = ["--direct", ...target, "--install-root", `${dir.path}/${root}`, ...ssh];
        const port = freePort();
        await it.run(["deploy", v1, ...where, "--env", `HARNESS_PORT_HTTP=${port}`, "--quiet"]);
        // No server is there that could stop it.
        Deno.kill((await answer(port)).pid, "SIGTERM");
        await it.run(["rollback", "hello-service", "--version", "9.9.9", ...where, "--quiet"], 1);
      }
    });
    await t.step("serve ends", async () => {
      server.kill("SIGTERM");
      assert.equal((await server.status).code, 0);
    });
    await t.step("no command was left out", () => {
      assert.deepEqual(ALL.filter((name) => !it.used.has(name)), []);
    });
  },
});

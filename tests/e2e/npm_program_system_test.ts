/** The program of the npm package, as installed into an empty project, on each runtime that it is for. */
import assert from "node:assert/strict";
import { Bench } from "../deploy/support.ts";
import { denoDir } from "../helpers/cli.ts";
import { answer, buildHello, freePort } from "../helpers/hello_package.ts";
import { LineProcess } from "../helpers/lines.ts";
import { Terminal } from "../helpers/pty.ts";
import { needs } from "../helpers/require.ts";
import { DENO, NPM_RUNTIMES, npmProject, type Project, type Runtime } from "../helpers/runtimes.ts";
import { type Sshd, startSshd } from "../helpers/sshd.ts";
import { TEST_TLS } from "../helpers/tls.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;
const BIN = "node_modules/@harness/service-registry/bin.js";

/** The program on one runtime, with a home directory of its own. */
class Program {
  readonly command: readonly [string, ...string[]];
  readonly env: Record<string, string>;

  /** Nothing of the tester's environment reaches it but `PATH` and Deno's cache. */
  constructor(command: readonly [string, ...string[]], home: string, cache: string) {
    this.command = command;
    const PATH = Deno.env.get("PATH") ?? "";
    this.env = { PATH, HOME: home, XDG_RUNTIME_DIR: home, DENO_DIR: cache, NO_COLOR: "1" };
  }

  /** Runs it to its end and returns what it printed. */
  async run(args: readonly string[], code = 0): Promise<{ stdout: string; stderr: string }> {
    const [program, ...first] = this.command;
    const result = await new Deno.Command(program, {
      args: [...first, ...args],
      clearEnv: true,
      env: this.env,
      stdin: "null",
    }).output();
    const stdout = new TextDecoder().decode(result.stdout);
    const stderr = new TextDecoder().decode(result.stderr);
    assert.equal(result.code, code, `${args.join(" ")}: ${stdout}${stderr}`);
    return { stdout, stderr };
  }

  /** Starts it; what it says on stderr goes to the file `log`. */
  start(args: readonly string[], log: string): LineProcess {
    const script = ["-c", 'exec 2>"$0" "$@"', log];
    return new LineProcess("sh", [...script, ...this.command, ...args], {
      clearEnv: true,
      env: this.env,
    });
  }

  terminal(args: readonly string[]): Terminal {
    return new Terminal([...this.command, ...args], { env: this.env });
  }
}

async function programOn(runtime: Runtime, project: Project, home: string): Promise<Program> {
  await Deno.mkdir(home, { mode: 0o700, recursive: true });
  const file = runtime === DENO ? MAIN : `${project.dir}/${BIN}`;
  return new Program(await runtime.command(file), home, await denoDir());
}

function sshFlags(sshd: Sshd): string[] {
  return ["--identity", sshd.identityFile, "--known-hosts", sshd.knownHostsFile];
}

async function urlOf(server: LineProcess): Promise<string> {
  const line = await server.line();
  const url = /^harness-ws-server listening on (wss?:\/\/[^ ]+) /.exec(line)?.[1];
  assert.ok(url !== undefined, line);
  return url;
}

/** Server and client commands, deployments on this machine and over SSH, and how all of them end. */
async function checkProgram(program: Program, other: Program, bench: Bench): Promise<void> {
  await using sshd = await startSshd();
  const { dir, root } = bench;
  const ports = [freePort(), freePort()] as const;
  const one = await buildHello(dir, { version: "1.0.0", port: ports[0] });
  const two = await buildHello(dir, { version: "2.0.0", port: ports[0] });
  const info = JSON.parse((await program.run(["package", "inspect", "--json", one.path])).stdout);
  assert.equal(info.sha256, one.sha256);

  const state = `${dir}/state`;
  const serve = [
    "serve",
    "--listen",
    "127.0.0.1:0",
    "--install-root",
    root,
    "--log-level",
    "warning",
  ];
  const log = `${dir}/serve.log`;
  await using server = program.start([...serve, "--state-dir", state, ...sshFlags(sshd)], log);
  const at = ["--url", await urlOf(server)];
  assert.equal((await Deno.stat(`${state}/token`)).mode! & 0o777, 0o600);
  const refused = await other.run([...serve, "--state-dir", state], 8);
  assert.match(refused.stderr, /process \d+ uses it/);

  // The token is found: also by the program on another runtime.
  const deployed = await program.run(["deploy", one.path, "--local", ...at]);
  assert.match(deployed.stdout + deployed.stderr, /local\s.*health\s.*done/);
  assert.equal((await answer(ports[0])).version, "1.0.0");
  const listed = JSON.parse(
    (await other.run(["services", "--json", ...at])).stdout.split("\n")[0]!,
  );
  assert.equal((Array.isArray(listed) ? listed[0] : listed).state, "running");

  await using watch = program.terminal(["watch", ...at]);
  await program.run(["service", "restart", "hello-service", ...at]);
  await watch.until(({ screen }) => screen.includes("hello-service"));
  const logs = await program.run(["service", "logs", "hello-service", ...at]);
  assert.match(logs.stdout, /stopping: SIGTERM\n[^]*listening on port/);
  await program.run(["deploy", two.path, "--local", ...at]);
  assert.equal((await answer(ports[0])).version, "2.0.0");
  await program.run(["rollback", "hello-service", ...at]);
  assert.equal((await answer(ports[0])).version, "1.0.0");
  await watch.type("\x03");
  assert.equal((await watch.ended).code, 130);
  await program.run(["service", "stop", "hello-service", ...at]);

  const host = `${sshd.user}@${sshd.host}:${sshd.port}`;
  const env = ["--env", `HARNESS_PORT_HTTP=${ports[1]}`];
  await program.run(["deploy", one.path, "--host", host, ...env, ...at]);
  assert.equal((await answer(ports[1])).version, "1.0.0");
  const direct = ["--direct", "--install-root", root, ...sshFlags(sshd)];
  await program.run(["deploy", two.path, "--host", host, ...env, ...direct]);
  assert.equal((await answer(ports[1])).version, "2.0.0");
  server.kill("SIGTERM");
  assert.equal((await server.status).code, 0);
  // What was deployed past it may have been noticed before its end.
  const warnings = (await Deno.readTextFile(log)).split("\n").filter((line) =>
    !/deployed 2\.0\.0 on the host, in place of 1\.0\.0/.test(line)
  );
  assert.equal(warnings.join("\n"), "", "nothing to warn of");
  await program.run(["services", ...at], 4);
}

async function checkTls(program: Program, { dir }: Bench): Promise<void> {
  const { path } = await buildHello(dir, { version: "1.0.0", port: freePort() });
  const files = { cert: `${dir}/cert.pem`, key: `${dir}/key.pem`, token: `${dir}/token` };
  await Deno.writeTextFile(files.cert, TEST_TLS.cert);
  await Deno.writeTextFile(files.key, TEST_TLS.key);
  await Deno.writeTextFile(files.token, "f".repeat(40));
  const serve = ["serve", "--listen", "127.0.0.1:0", "--state-dir", `${dir}/tls`];
  const tls = ["--tls-cert", files.cert, "--tls-key", files.key, "--log-level", "error"];
  await using server = program.terminal([...serve, ...tls]);
  await server.until(({ screen }) => screen.includes(" listening on "));
  const port = /wss:\/\/127\.0\.0\.1:(\d+)/.exec(server.screen)?.[1];
  const url = `wss://localhost:${port}`;
  const at = ["--url", url, "--tls-ca", files.cert];
  await program.run(["services", ...at]);
  const upload = await program.run(["deploy", path, "--host", "127.0.0.1:1", ...at], 4);
  assert.match(upload.stderr, /uploading hello-service/);
  const unknown = await program.run(["services", "--url", url], 4);
  assert.match(unknown.stderr, /certificate/);
  const denied = await program.run(["services", ...at, "--token-file", files.token], 1);
  assert.match(denied.stderr, /\[unauthorized\]/);
  await server.type("\x03");
  assert.equal((await server.ended).code, 0);
}

Deno.test({
  name: "npm package: its program runs on Node and Bun",
  ignore: needs("sshd") || needs("node22") || needs("python3"),
  fn: async (t) => {
    await using project = await npmProject();
    assert.match(project.printed, /^\n?added \d+ packages in \w+\n$/, "npm has nothing to warn of");
    for (const runtime of NPM_RUNTIMES) {
      const ignore = runtime.component !== null && needs(runtime.component);
      const step = (name: string, fn: (program: Program, bench: Bench) => Promise<void>) =>
        t.step({
          name: `${runtime.name}: ${name}`,
          ignore,
          fn: async () => {
            await using bench = new Bench();
            await fn(await programOn(runtime, project, `${bench.dir}/home`), bench);
          },
        });
      await step("version, help and usage", async (program, bench) => {
        const kind = runtime.name.split(" ")[0]?.toLowerCase();
        const version = await program.run(["--version"]);
        assert.match(version.stdout, new RegExp(`^harness-ws-server \\d.*, ${kind} \\d`));
        assert.match((await program.run(["help", "deploy"])).stdout, /--hosts-file/);
        const state = ["--state-dir", `${bench.dir}/unused`];
        const wrong = await program.run(["serve", "--listener", "denno", ...state], 2);
        assert.match(wrong.stderr, /deno, ws/);
        const nowhere = await program.run(["serve", "--state-dir", "/proc/nowhere"], 1);
        assert.match(nowhere.stderr, /state directory \/proc\/nowhere: /);
      });
      await step("serve, deploy, control", async (program, bench) => {
        await checkProgram(program, await programOn(DENO, project, `${bench.dir}/home`), bench);
      });
      await step("TLS with an authority of one's own", checkTls);
    }
  },
});

/** The examples that use the library as a whole, on every runtime it is for, with services that really run. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { deployAndFollow, RegistryClient } from "../../src/client/mod.ts";
import { Bench } from "../deploy/support.ts";
import { denoDir } from "../helpers/cli.ts";
import { answer, buildHello, freePort } from "../helpers/hello_package.ts";
import { LineProcess } from "../helpers/lines.ts";
import { eventually } from "../helpers/raw_client.ts";
import { needs } from "../helpers/require.ts";
import {
  DENO,
  exampleCommand,
  NPM_RUNTIMES,
  npmProject,
  type Project,
  type Runtime,
} from "../helpers/runtimes.ts";
import { type Sshd, startSshd } from "../helpers/sshd.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { service, startServer } from "../helpers/test_server.ts";

const HELLO = new URL("../../examples/hello-service", import.meta.url).pathname;
const TOKEN = "a-token-for-this-test-alone";

/** An environment whose home directory has `web1`, `web2`, … as hosts of ssh_config. */
async function environmentWith(
  dir: string,
  sshds: readonly Sshd[],
): Promise<Record<string, string>> {
  const home = `${dir}/home`;
  await Deno.mkdir(`${home}/.ssh`, { recursive: true, mode: 0o700 });
  const hosts = sshds.map((sshd, index) =>
    `Host web${index + 1}\n  HostName ${sshd.host}\n  Port ${sshd.port}\n  User ${sshd.user}\n` +
    `  IdentityFile ${sshd.identityFile}\n  UserKnownHostsFile ${sshd.knownHostsFile}\n`
  );
  await Deno.writeTextFile(`${home}/.ssh/config`, hosts.join(""), { mode: 0o600 });
  return { HOME: home, DENO_DIR: await denoDir(), TOKEN };
}

/** Waits until another process answers than `pid`. */
async function answerOfAnother(port: number, pid: number): Promise<number> {
  let now = pid;
  await eventually(
    async () => (now = await answer(port).then((it) => it.pid, () => pid)) !== pid,
    "another process answers",
    300_000,
  );
  return now;
}

async function checkFullServer(runtime: Runtime, project: Project | null): Promise<void> {
  await using bench = new Bench();
  await using sshd = await startSshd();
  const env = await environmentWith(bench.dir, [sshd]);
  const [program, ...args] = await exampleCommand(runtime, "full_server.ts", project);
  const state = `${bench.dir}/state`;
  await using server = new LineProcess(program, [...args, state, "0"], { env });
  const url = (await server.line()).replace("listening on ", "");
  await using client = await RegistryClient.connect(url, { token: TOKEN });

  const port = freePort();
  const { path } = await buildHello(bench.dir, { version: "1.0.0", port });
  const file = path.slice(path.lastIndexOf("/") + 1);
  const uploaded = await fetch(`${url.replace("ws", "http")}/packages/${file}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${TOKEN}` },
    body: await Deno.readFile(path),
  });
  assert.equal(uploaded.status, 201, await uploaded.text());

  const target = { host: "web1", install_root: bench.root };
  const steps: string[] = [];
  for await (const { step, status } of deployAndFollow(client, { package: file, target })) {
    steps.push(`${step} ${status}`);
  }
  assert.equal((await client.getService("hello-service")).state, "running", steps.join());
  assert.ok(steps.includes("health done"), steps.join());
  const first = await answer(port);
  assert.equal(first.version, "1.0.0");

  Deno.kill(first.pid, "SIGKILL");
  const second = await answerOfAnother(port, first.pid);
  await client.serviceAction({ name: "hello-service", action: "stop" });
  await assert.rejects(answer(port));
  assert.throws(() => Deno.kill(second, "SIGCONT"));

  server.kill("SIGTERM");
  assert.equal((await server.status).code, 0);
}

async function checkThreeHosts(runtime: Runtime, project: Project | null): Promise<void> {
  await using bench = new Bench();
  await using first = await startSshd();
  await using second = await startSshd();
  await using third = await startSshd();
  const env = await environmentWith(bench.dir, [first, second, third]);
  const ports = [freePort(), freePort(), freePort()];
  const fleet = ports.map((port, index) => ({
    target: { host: `web${index + 1}`, install_root: `${bench.dir}/root-${index + 1}` },
    env: { HARNESS_PORT_HTTP: String(port) },
  }));
  await Deno.writeTextFile(`${bench.dir}/hosts.json`, JSON.stringify(fleet));

  const [program, ...args] = await exampleCommand(runtime, "deploy.ts", project);
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args, HELLO, `${bench.dir}/hosts.json`],
    env,
  }).output();
  const printed = new TextDecoder().decode(stdout);
  assert.equal(code, 0, printed + new TextDecoder().decode(stderr));
  for (const host of ["web1", "web2", "web3"]) {
    assert.match(printed, new RegExp(`^${host} upload (progress|done)`, "m"));
    assert.match(printed, new RegExp(`^${host} finish done`, "m"));
  }
  assert.match(printed, /^all hosts finish done/m);
  for (const port of ports) assert.equal((await answer(port)).version, "1.0.0");
}

async function checkLease(runtime: Runtime, project: Project | null): Promise<void> {
  await using server = await startServer({ listener: "ws" });
  const { registry, url } = server;
  const [program, ...args] = await exampleCommand(runtime, "lease.ts", project);
  const env = { HARNESS_URL: url };
  await using ping = new LineProcess(program, [...args, "ping", "ping"], { env });
  assert.equal(await ping.line(), "ping is running");
  assert.equal(await ping.line(), "ping says: this is ping");
  ping.kill("SIGTERM");
  assert.equal((await ping.status).code, 0);
  assert.deepEqual(registry.list(), []);
}

async function checkWatch(runtime: Runtime, project: Project | null): Promise<void> {
  await using server = await startServer({ listener: "ws" });
  await using dir = await tempDir();
  const { registry, url } = server;
  await registry.register(service("web"));
  const [program, ...args] = await exampleCommand(runtime, "watch.ts", project);
  const start = () => new LineProcess(program, [...args, url, `${dir.path}/position.json`]);
  {
    await using watch = start();
    assert.equal(await watch.line(), "web registered");
    await registry.update("web", { state: "starting" });
    assert.equal((await watch.line()).trim(), "web registered -> starting");
    const seen = () => readFile(`${dir.path}/position.json`, "utf8").catch(() => "");
    await eventually(async () => (await seen()).includes(`"seq":${registry.seq}`), "it is written");
  }
  await registry.update("web", { state: "running" });
  await using watch = start();
  assert.equal((await watch.line()).trim(), "web starting -> running", "missed, not lost");
}

async function checkHarness(runtime: Runtime, project: Project | null): Promise<void> {
  const port = freePort();
  const [program, ...args] = await exampleCommand(runtime, "test_harness.ts", project);
  await using dir = await tempDir();
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args, HELLO, String(port)],
    env: { TMPDIR: dir.path },
  }).output();
  const printed = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, printed);
  assert.equal(printed, `hello-service answers on 127.0.0.1:${port}\n`);
  await assert.rejects(answer(port), "it is stopped");
  const left = [...Deno.readDirSync(dir.path)].map(({ name }) => name);
  assert.deepEqual(left.filter((name) => name.startsWith("test-server-")), []);
}

/** The library's sample in the README, as it stands there. */
async function checkReadme(runtime: Runtime, project: Project | null): Promise<void> {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const [, sample = ""] =
    /\n```[jt]s\n(import [^`]*"@harness\/service-registry"[^]*?)```/.exec(readme) ?? [];
  assert.ok(sample.includes("serve("), "the sample is in the README");
  await using dir = await tempDir();
  const file = `${project?.dir ?? dir.path}/sample.mjs`;
  await Deno.writeTextFile(file, `${sample}\nprocess.stdout.write("done\\n");\n`);
  const [program, ...args] = await runtime.command(file);
  const config = ["--config", new URL("../../deno.json", import.meta.url).pathname];
  const first = project === null ? [args[0] ?? "", ...config, ...args.slice(1)] : args;
  const { code, stdout, stderr } = await new Deno.Command(program, { args: first }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.match(new TextDecoder().decode(stdout), /done\n$/);
}

const PROGRAMS = [
  { name: "full_server.ts", check: checkFullServer },
  { name: "lease.ts", check: checkLease },
  { name: "watch.ts", check: checkWatch },
  { name: "deploy.ts", check: checkThreeHosts },
  { name: "test_harness.ts", check: checkHarness },
  { name: "the sample in the README", check: checkReadme },
];

Deno.test("library: five programs on Deno", { ignore: needs("sshd") }, async (t) => {
  for (const { name, check } of PROGRAMS) await t.step(name, () => check(DENO, null));
});

Deno.test(
  "npm package: five programs on Node and Bun",
  { ignore: needs("sshd") || needs("node22") },
  async (t) => {
    await using project = await npmProject();
    await t.step("its types are those of the source", () => checkTypes(project));
    for (const runtime of NPM_RUNTIMES) {
      const ignore = runtime.component !== null && needs(runtime.component);
      for (const { name, check } of PROGRAMS) {
        const fn = () => check(runtime, project);
        await t.step({ name: `${name} on ${runtime.name}`, ignore, fn });
      }
    }
  },
);

/** By tsc, as in a strict project for Node. */
async function checkTypes(project: Project): Promise<void> {
  await Deno.copyFile(new URL("./library_types.ts", import.meta.url), `${project.dir}/types.ts`);
  const packages = ["typescript", "@types/node@22"];
  const install = ["install", "--silent", "--no-save", "--prefix", project.dir, ...packages];
  const npm = await new Deno.Command("npm", { args: install }).output();
  assert.ok(npm.success, new TextDecoder().decode(npm.stderr));
  const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022"];
  const { success, stdout } = await new Deno.Command("npx", {
    args: ["tsc", ...flags, "--types", "node", "--skipLibCheck", "false", "types.ts"],
    cwd: project.dir,
  }).output();
  assert.ok(success, new TextDecoder().decode(stdout));
}

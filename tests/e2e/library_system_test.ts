/** The examples that use the library as a whole, on every runtime it is for, with services that really run. */
import assert from "node:assert/strict";
import { deployAndFollow, RegistryClient } from "../../src/client/mod.ts";
import { Bench } from "../deploy/support.ts";
import { answer, buildHello, freePort } from "../helpers/hello_package.ts";
import { LineProcess } from "../helpers/lines.ts";
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
  const cache = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  return { HOME: home, DENO_DIR: cache, TOKEN };
}

/** Polls until another process answers than `pid`; the time limit of the test ends it. */
async function answerOfAnother(port: number, pid: number): Promise<number> {
  for (;;) {
    const now = await answer(port).then((it) => it.pid, () => pid);
    if (now !== pid) return now;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
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
  const { path } = await buildHello(bench.dir, { version: "2.0.0", port: freePort() });

  const [program, ...args] = await exampleCommand(runtime, "deploy_three_hosts.ts", project);
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args, path, `${bench.dir}/hosts.json`],
    env,
  }).output();
  const printed = new TextDecoder().decode(stdout);
  assert.equal(code, 0, printed + new TextDecoder().decode(stderr));
  for (const host of ["web1", "web2", "web3"]) {
    assert.match(printed, new RegExp(`^${host} upload (progress|done)`, "m"));
    assert.match(printed, new RegExp(`^${host} finish done`, "m"));
  }
  assert.match(printed, /^all hosts finish done/m);
  for (const port of ports) assert.equal((await answer(port)).version, "2.0.0");
}

Deno.test("examples/full_server.ts: runs on Deno", { ignore: needs("sshd") }, async () => {
  await checkFullServer(DENO, null);
});

Deno.test("examples/deploy_three_hosts.ts: runs on Deno", { ignore: needs("sshd") }, async () => {
  await checkThreeHosts(DENO, null);
});

Deno.test(
  "npm package: both examples run on Node and Bun",
  { ignore: needs("sshd") },
  async (t) => {
    await using project = await npmProject();
    await t.step("its types are those of the source", async () => {
      const types = `${project.dir}/types.ts`;
      await Deno.copyFile(new URL("./library_types.ts", import.meta.url), types);
      const checked = new Deno.Command(Deno.execPath(), {
        args: ["check", types],
        cwd: project.dir,
        env: { NO_COLOR: "1" },
      });
      const { success, stderr } = await checked.output();
      assert.ok(success, new TextDecoder().decode(stderr));
    });
    for (const runtime of NPM_RUNTIMES) {
      const ignore = runtime.component !== null && needs(runtime.component);
      await t.step({
        name: `full_server.ts on ${runtime.name}`,
        ignore,
        fn: () => checkFullServer(runtime, project),
      });
      await t.step({
        name: `deploy_three_hosts.ts on ${runtime.name}`,
        ignore,
        fn: () => checkThreeHosts(runtime, project),
      });
    }
  },
);

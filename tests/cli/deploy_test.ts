import assert from "node:assert/strict";
import { type CliResult, runCli, runHere, RunningCli, startServer } from "../helpers/cli.ts";
import { freePort } from "../helpers/free_port.ts";
import { removeTree } from "../helpers/remove_tree.ts";
import { needs } from "../helpers/require.ts";
import { type Sshd, startSshd } from "../helpers/sshd.ts";

/** Packages `svc` 1.0.0 (good), 2.0.0 (good), 3.0.0 (does not start), 4.0.0 (never becomes healthy). */
interface Fixture extends AsyncDisposable {
  dir: string;
  root: string;
  file(version: string): string;
}

const START = `#!/bin/sh
echo "started $HARNESS_VERSION"
case $HARNESS_VERSION in 3.*) echo "no such config" >&2; exit 7;; esac
exec sleep 1000
`;
const HEALTH = `#!/bin/sh
case $HARNESS_VERSION in 4.*) echo "not yet"; exit 2;; esac
echo fine
`;

async function fixture(): Promise<Fixture> {
  const dir = await Deno.makeTempDir({ prefix: "harness-deploy-cli-" });
  const root = `${dir}/opt`;
  const file = (version: string) => `${dir}/svc-${version}.tar.gz`;
  await Deno.mkdir(root);
  const init = await runHere(["package", "init", `${dir}/svc`]);
  assert.equal(init.code, 0, init.stderr);
  const manifest = await Deno.readTextFile(`${dir}/svc/manifest.yaml`);
  await Deno.writeTextFile(
    `${dir}/svc/manifest.yaml`,
    manifest.replace("interval: 10s", "interval: 500ms").replace(
      "start_period: 5s",
      "start_period: 60s",
    )
      .replace("retries: 3", "retries: 1"),
  );
  await Deno.writeTextFile(`${dir}/svc/scripts/start.sh`, START);
  await Deno.writeTextFile(`${dir}/svc/scripts/health.sh`, HEALTH);
  for (const version of ["1.0.0", "2.0.0", "3.0.0", "4.0.0"]) {
    const args = ["package", "build", `${dir}/svc`, "--version", version, "--out", dir];
    const built = await runHere(args);
    assert.equal(built.code, 0, built.stderr);
    assert.match(built.stdout, new RegExp(`^[0-9a-f]{64} {2}${file(version)}\n$`));
  }
  const dispose = () => removeTree(dir);
  return { dir, root, file, [Symbol.asyncDispose]: dispose };
}

function sshFlags(sshd: Sshd, root: string): string[] {
  return [
    ...["--identity", sshd.identityFile, "--known-hosts", sshd.knownHostsFile],
    ...["--ssh-config", "none", "--install-root", root],
  ];
}

function lines(text: string): Array<Record<string, unknown>> {
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

Deno.test({
  name:
    "deploy, failure, rollback and the rest over SSH through a server, with the documented exit codes",
  ignore: needs("sshd"),
  fn: async (t) => {
    await using sshd = await startSshd();
    await using it = await fixture();
    await using server = await startServer(sshFlags(sshd, it.root));
    const env = { HARNESS_URL: server.url };
    const run = (...args: string[]): Promise<CliResult> => runCli(args, { env });
    const host = `${sshd.user}@${sshd.host}:${sshd.port}`;
    const version = async () =>
      JSON.parse((await run("service", "get", "svc", "--json")).stdout).version;
    try {
      await t.step("a first deployment uploads, follows and reports", async () => {
        const { code, stdout, stderr } = await run("deploy", it.file("1.0.0"), "--host", host);
        assert.equal(code, 0, stderr);
        assert.match(stdout, new RegExp(`^HOST +OUTCOME +STEP +ERROR\n${host} +ok +finish\n$`));
        for (const step of ["connect", "upload", "verify", "switch", "start", "health", "commit"]) {
          assert.match(stderr, new RegExp(`^${host} +${step} +done`, "m"));
        }
        assert.match(stderr, /^uploading svc-1\.0\.0\.tar\.gz/);
        assert.match(stderr, /^d-\S+: deploy of svc 1\.0\.0 succeeded$/m);
        assert.equal(stderr.includes("\x1b"), false);
      });
      await t.step("--json prints every event and at last the deployment", async () => {
        const secret = `${it.dir}/secret`;
        await Deno.writeTextFile(secret, "swordfish\n");
        const args = ["--env", "A=1", "--secret-file", `PASSWORD=${secret}`, "--json"];
        const { code, stdout, stderr } = await run(
          "deploy",
          it.file("2.0.0"),
          "--host",
          host,
          ...args,
        );
        assert.equal(code, 0, stderr);
        const all = lines(stdout);
        const last = all.pop();
        assert.equal(last?.["status"], "succeeded");
        assert.ok(all.some((event) => event["step"] === "upload" && event["status"] === "done"));
        assert.equal(all.at(-1)?.["deployment_status"], "succeeded");
        assert.equal((stdout + stderr + server.cli.stderr).includes("swordfish"), false);
      });
      await t.step(
        "a version that does not start is rolled back: 6, with its last log lines",
        async () => {
          const { code, stdout, stderr } = await run("deploy", it.file("3.0.0"), "--host", host);
          assert.equal(code, 6, stderr);
          assert.match(stdout, /rolled_back/);
          assert.match(stderr, /no such config/);
          assert.equal(await version(), "2.0.0");
        },
      );
      await t.step("rollback goes to the last good version", async () => {
        const { code, stderr } = await run("rollback", "svc", "--quiet");
        assert.equal(code, 0, stderr);
        assert.match(stderr, /^d-\S+: rollback of svc 1\.0\.0 succeeded\n$/);
        assert.equal(await version(), "1.0.0");
      });
      await t.step(
        "Ctrl-C stops following, the deployment goes on and can be cancelled",
        async () => {
          await using cli = new RunningCli(["deploy", it.file("4.0.0"), "--host", host], { env });
          await cli.until((it) => /health +started/.test(it.stderr));
          cli.kill("SIGINT");
          const { code, stderr } = await cli.end();
          assert.equal(code, 130, stderr);
          const id = /deployments follow (d-\S+)/.exec(stderr)?.[1] ?? "";
          await using follower = new RunningCli(["deployments", "follow", id], { env });
          const cancel = await run("deployments", "cancel", id);
          assert.equal(cancel.stdout, `${id} is being cancelled\n`);
          const followed = await follower.end();
          assert.equal(followed.code, 1, followed.stderr);
          assert.match(followed.stdout, /cancelled/);
          const shown = await run("deployments", "show", id, "--json");
          assert.equal(shown.code, 1);
          assert.equal(JSON.parse(shown.stdout).status, "cancelled");
          assert.equal(await version(), "1.0.0");
        },
      );
      await t.step("--detach prints the id alone; packages are held by the server", async () => {
        const { code, stdout } = await run("deploy", "svc@2.0.0", "--host", host, "--detach");
        assert.equal(code, 0);
        assert.match(stdout, /^d-\S+\n$/);
        const followed = await run("deployments", "follow", stdout.trim());
        assert.equal(followed.code, 0, followed.stderr);
        const packages = await run("package", "list");
        assert.match(packages.stdout, /^svc +4\.0\.0 /m);
        const list = await run("deployments", "--limit", "2");
        assert.equal(list.stdout.trimEnd().split("\n").length, 3);
      });
      await t.step("a host that refuses is 4, some hosts that do are 3", async () => {
        const dead = "nobody@127.0.0.1:9";
        const alone = await run("deploy", "svc@2.0.0", "--host", dead);
        assert.equal(alone.code, 4, alone.stderr);
        assert.match(alone.stdout, /^nobody@127\.0\.0\.1:9 +unreachable +connect +\S.*refused/m);
        const hosts = `${it.dir}/hosts`;
        await Deno.writeTextFile(hosts, `# both\n${host}\n${dead}\n`);
        const both = await run("deploy", "svc@2.0.0", "--hosts-file", hosts, "--max-failures", "1");
        assert.equal(both.code, 3, both.stderr);
        assert.match(
          both.stderr,
          /^d-\S+: deploy of svc 2\.0\.0 partial \(1 ok, 1 unreachable\)$/m,
        );
        const id = /deployments resume (d-\S+)/.exec(both.stderr)?.[1] ?? "";
        const resumed = await run("deployments", "resume", id);
        assert.equal(resumed.code, 4, resumed.stderr);
        assert.match(resumed.stdout, new RegExp(`^HOST.*\n${dead} +unreachable .*\n$`));
        const twice = await run("deploy", "svc@2.0.0", "--host", host, "--hosts-file", hosts);
        assert.equal(twice.code, 2);
        assert.match(twice.stderr, /named twice/);
      });
      await t.step("what the server does not hold is not found", async () => {
        for (const reference of ["svc@9.9.9", "svc-9.9.9.tar.gz"]) {
          const { code, stderr } = await run("deploy", reference, "--host", host);
          assert.equal(code, 1, stderr);
          assert.match(stderr, /\[not_found\]$/m);
        }
      });
    } finally {
      await run("service", "stop", "svc");
    }
  },
});

Deno.test("deploy --direct --local needs no server, and rollback --direct neither", async () => {
  await using it = await fixture();
  const flags = ["--direct", "--local", "--install-root", it.root];
  const env = { HARNESS_URL: "ws://127.0.0.1:9" };
  const run = (...args: string[]) => runCli([...args, ...flags], { env });
  try {
    for (const version of ["1.0.0", "2.0.0"]) {
      const { code, stdout, stderr } = await run("deploy", it.file(version));
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^local +ok +finish$/m);
    }
    const current = async () => await Deno.readLink(`${it.root}/.harness/svc/current`);
    assert.match(await current(), /svc-2\.0\.0/);
    const back = await run("rollback", "svc", "--version", "1.0.0", "--json");
    assert.equal(back.code, 0, back.stderr);
    assert.equal(lines(back.stdout).at(-1)?.["status"], "succeeded");
    assert.match(await current(), /svc-1\.0\.0/);
    await using cli = new RunningCli(["deploy", it.file("4.0.0"), ...flags], { env });
    await cli.until((it) => /health +started/.test(it.stderr));
    const second = await run("deploy", it.file("2.0.0"));
    assert.equal(second.code, 8, second.stderr);
    assert.match(second.stdout, /^local +failed +lock +Cannot lock svc on local: d-\S+ by /m);
    cli.kill("SIGTERM");
    const { code, stderr, stdout } = await cli.end();
    assert.equal(code, 143, stderr);
    assert.match(stderr, /cancelling: hosts in flight go back/);
    assert.match(stdout, /^local +cancelled/m);
    assert.match(await current(), /svc-1\.0\.0/);
  } finally {
    await stopAll(`${it.root}/.harness/svc/run`);
  }
});

Deno.test("a deployment that the end of its server cut off is told as interrupted, to whoever follows it", async () => {
  await using it = await fixture();
  const stateDir = `${it.dir}/state`;
  // The same port for both servers, and nobody else's in between.
  const flags = ["--install-root", it.root, "--listen", `127.0.0.1:${freePort()}`];
  const first = await startServer(flags, { stateDir });
  const env = { HARNESS_URL: first.url };
  await using cli = new RunningCli(["deploy", it.file("4.0.0"), "--local"], { env });
  try {
    try {
      await cli.until((running) => /health +started/.test(running.stderr));
      first.cli.kill("SIGKILL");
    } finally {
      await first[Symbol.asyncDispose]();
    }
    await cli.until((running) => running.stderr.includes("connection lost"));
    await using _second = await startServer(flags, { stateDir });
    const { code, stdout, stderr } = await cli.end();
    assert.equal(code, 1, stderr);
    assert.match(stdout, /^local +-/m);
    assert.match(stderr, /^d-\S+: deploy of svc 4\.0\.0 interrupted$/m);
    assert.match(stderr, /deployments resume d-/);
  } finally {
    await stopAll(`${it.root}/.harness/svc/run`);
  }
});

Deno.test("SIGTERM to a server parks its deployments; whoever follows gives up when it stays away", async () => {
  await using it = await fixture();
  // Longer than the default: a rollback on a busy machine takes its time.
  const patient = ["--install-root", it.root, "--shutdown-timeout", "60s"];
  await using server = await startServer(patient);
  const env = { HARNESS_URL: server.url };
  const deploy = (version: string, ...more: string[]) =>
    new RunningCli(["deploy", it.file(version), "--local", ...more], { env });
  try {
    await using good = deploy("1.0.0");
    assert.equal((await good.end()).code, 0);
    await using cli = deploy("4.0.0", "--timeout", "2s");
    await cli.until((running) => /health +started/.test(running.stderr));
    server.cli.kill("SIGTERM");
    const ended = await server.cli.end();
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(await Deno.readLink(`${it.root}/.harness/svc/current`), /svc-1\.0\.0/);
    const { code, stderr } = await cli.end();
    // It may have heard of the end before the server went.
    if (code === 4) assert.match(stderr, /the server does not answer.*deployments follow d-/s);
    else assert.match(stderr, /deploy of svc 4\.0\.0 interrupted$/m);
  } finally {
    await stopAll(`${it.root}/.harness/svc/run`);
  }
});

Deno.test("deploy refuses what cannot work before it touches anything", async () => {
  await using it = await fixture();
  const missing = `${it.dir}/missing.tar.gz`;
  await Deno.writeTextFile(`${it.dir}/bad.tar.gz`, "this is no package");
  await Deno.writeTextFile(`${it.dir}/bad.env`, "FINE=1\nnot a pair s3cret\n");
  const cases: Array<[string[], number, RegExp]> = [
    [[missing, "--host", "h"], 1, /missing\.tar\.gz: there is no such file.*\[not_found\]/],
    [[missing, "--local", "--direct"], 1, /\[not_found\]/],
    [[`${it.dir}/svc`, "--local"], 2, /package build/],
    [[`${it.dir}/bad.tar.gz`, "--local"], 1, /\[package_invalid\]/],
    [[it.file("1.0.0")], 2, /no host is named/],
    [[it.file("1.0.0"), "--host", "-oProxyCommand=x"], 2, /write it as \[user@\]host/],
    [[it.file("1.0.0"), "--host", "h", "--parallel", "0"], 2, /--parallel/],
    [[it.file("1.0.0"), "--host", "h", "--env", "A-B=1"], 2, /must be NAME=value/],
    [
      [it.file("1.0.0"), "--host", "h", "--env-file", `${it.dir}/bad.env`],
      2,
      /bad\.env:2: the line/,
    ],
    [[it.file("1.0.0"), "--host", "h", "--secret-file", "K=/nowhere"], 1, /\/nowhere: there is no/],
    [[it.file("1.0.0"), "--host", "h", "--known-hosts", "x"], 2, /give it to serve/],
    [[it.file("1.0.0"), "--local", "--become", "sudo"], 2, /with --local/],
    [[it.file("1.0.0"), "--host", "h", "--become", "doas"], 2, /--become: "doas" must be sudo/],
    [[it.file("1.0.0"), "--host", "h", "--become", "doas", "--direct"], 2, /"doas" must be sudo/],
    [
      ["svc@1.0.0", "--host", "h", "--require-signature", `${it.dir}/svc/manifest.yaml`],
      2,
      /--require-signature .*manifest\.yaml: it is not a minisign public key/,
    ],
    [
      ["svc-1.0.0.tar.gz", "--host", "h", "--require-signature", `${it.dir}/svc/manifest.yaml`],
      2,
      /--require-signature .*manifest\.yaml: it is not a minisign public key/,
    ],
    [[it.file("1.0.0"), "--host", "h", "--require-signature", "/nowhere"], 1, /\/nowhere/],
  ];
  for (const [args, code, pattern] of cases) {
    const result = await runHere(["deploy", ...args, "--url", "ws://127.0.0.1:9"]);
    assert.equal(result.code, code, `${args}: ${result.stderr}`);
    assert.match(result.stderr, pattern);
    assert.equal(result.stderr.includes("s3cret"), false);
    assert.equal(result.stderr.trimEnd().split("\n").length, 1, result.stderr);
  }
  const byVariable = await runHere(["deploy", "svc@1.0.0", "--local"], {
    HARNESS_URL: "ws://127.0.0.1:9",
    HARNESS_REQUIRE_SIGNATURE: `${it.dir}/svc/manifest.yaml`,
  });
  assert.equal(byVariable.code, 2, byVariable.stderr);
  assert.match(
    byVariable.stderr,
    /Cannot use HARNESS_REQUIRE_SIGNATURE .*not a minisign public key/,
  );
});

/** Ends what the pid files of all releases name; most have ended already, and a pid may be another's by now. */
async function stopAll(runDir: string): Promise<void> {
  for await (const release of Deno.readDir(runDir)) {
    const text = await Deno.readTextFile(`${runDir}/${release.name}/svc.pid`).catch(() => "");
    const pid = Number(text.split("\n")[0]);
    const run = /^run=(\S+)$/m.exec(text)?.[1];
    const environ = await Deno.readTextFile(`/proc/${pid}/environ`).catch(() => "");
    if (!(pid > 1) || run === undefined || !environ.includes(`HARNESS_RUN=${run}`)) continue;
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // It has ended in this moment.
    }
  }
}

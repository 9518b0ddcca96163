import assert from "node:assert/strict";
import { runCli, runHere, RunningCli, startServer } from "../helpers/cli.ts";
import { freePort } from "../helpers/free_port.ts";
import { fixture, lines } from "./deploy_fixture.ts";

Deno.test("deploy --direct: needs no server; rollback neither", async () => {
  await using it = await fixture();
  const flags = ["--direct", "--local", "--install-root", it.root];
  const env = { HARNESS_URL: "ws://127.0.0.1:9" };
  const run = (...args: string[]) => runCli([...args, ...flags], { env });
  try {
    for (const version of ["1.0.0", "2.0.0"]) {
      const { code, stdout, stderr } = await run("deploy", it.file(version));
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^local +ok +finish +\d+s$/m);
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
    assert.match(second.stdout, /^local +failed +lock +\d+s$/m);
    assert.match(second.stderr, /^ {2}Cannot lock svc on local: it is held by d-\S+ by /m);
    cli.kill("SIGTERM");
    const { code, stderr, stdout } = await cli.end();
    assert.equal(code, 143, stderr);
    assert.match(stderr, /cancelling: hosts in flight return/);
    assert.match(stdout, /^local +cancelled/m);
    assert.match(await current(), /svc-1\.0\.0/);
  } finally {
    await stopAll(`${it.root}/.harness/svc/run`);
  }
});

Deno.test("deploy: interrupted when its server ends", async () => {
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

Deno.test("deploy: SIGTERM to the server parks it", async () => {
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
    if (code === 4) assert.match(stderr, /the server does not respond.*deployments follow d-/s);
    else assert.match(stderr, /deploy of svc 4\.0\.0 interrupted$/m);
  } finally {
    await stopAll(`${it.root}/.harness/svc/run`);
  }
});

Deno.test("deploy: refuses what cannot work before any change", async () => {
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
      /bad\.env:2:1: the line/,
    ],
    [[it.file("1.0.0"), "--host", "h", "--secret-file", "K=/nowhere"], 1, /\/nowhere: there is no/],
    [[it.file("1.0.0"), "--host", "h", "--known-hosts", "x"], 2, /give it to serve/],
    [[it.file("1.0.0"), "--local", "--become", "sudo"], 2, /with --local/],
    [
      [it.file("1.0.0"), "--host", "h", "--become", "doas"],
      2,
      /--become: "doas" must be one of sudo/,
    ],
    [
      [it.file("1.0.0"), "--host", "h", "--become", "doas", "--direct"],
      2,
      /"doas" must be one of sudo/,
    ],
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
    assert.match(result.stderr, /^harness-ws-server: .+ \[[a-z_]+\]\n(?: {2}hint: .+\n)?$/);
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

import assert from "node:assert/strict";
import { freePort } from "../helpers/free_port.ts";
import { Bench, ends, run } from "./support.ts";

const ALL = [
  "connect:done",
  "lock:done",
  "preflight:done",
  "upload:done",
  "verify:done",
  "extract:done",
  "configure:done",
  "switch:done",
  "start:done",
  "health:done",
  "commit:done",
  "prune:done",
  "unlock:done",
  "finish:done",
];

Deno.test("deploy(): brings a package to a host in all steps", async () => {
  await using bench = new Bench();
  const source = await bench.makePackage();
  const { events, result, host } = await run(bench.plan(source));
  assert.equal(result.status, "succeeded", JSON.stringify(host.error, null, 2));
  assert.deepEqual(ends(events), ALL);
  assert.deepEqual(bench.running(), ["1.0.0"]);
});

Deno.test("deploy(): leaves the files that are documented", async () => {
  await using bench = new Bench();
  const port = freePort();
  const source = await bench.makePackage({
    yaml: "env: {LOG_LEVEL: info, TOKEN: {secret: true, required: true}}\n" +
      "service: {type: managed_process, ports: [{name: http, port: 1}]}\n",
  });
  const plan = bench.plan(source, {
    env: { GREETING: 'it\'s "so" $HOME `x`\nnext', HARNESS_PORT_HTTP: String(port) },
    secrets: { TOKEN: "canary-5f1c" },
    dependencyEnv: { DB_HOST: "10.0.0.9", LOG_LEVEL: "debug" },
    hosts: [bench.target("here", { address: "192.0.2.7", env: { ZONE: "b" } })],
  });
  const { events, host } = await run(plan);
  assert.equal(host.outcome, "ok", JSON.stringify(host.error));
  const base = bench.base();
  assert.equal(Deno.readLinkSync(`${base}/current`), `${bench.root}/web-1.0.0`);
  assert.equal(Deno.readTextFileSync(`${bench.root}/web-1.0.0/bin/data.txt`), "data of 1.0.0\n");
  assert(Deno.statSync(`${bench.root}/.harness/cache/${source.sha256}`).size === source.size);
  const mode = (path: string) => (Deno.lstatSync(path).mode ?? 0) & 0o777;
  assert.equal(mode(`${base}/env`), 0o600);
  const state = bench.state();
  assert.equal(state.active, "1.0.0");
  assert.equal(state.pending, null);
  assert.deepEqual(state.releases.map((r) => [r.version, r.status, r.sha256]), [
    ["1.0.0", "good", source.sha256],
  ]);
  const show = await new Deno.Command("sh", {
    args: ["-c", 'set -a; . "$1"; env -0', "sh", `${base}/env`],
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin" },
  }).output();
  const env = Object.fromEntries(
    new TextDecoder().decode(show.stdout).split("\0").map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  assert.equal(env["GREETING"], 'it\'s "so" $HOME `x`\nnext');
  assert.equal(env["LOG_LEVEL"], "debug");
  assert.equal(env["DB_HOST"], "10.0.0.9");
  assert.equal(env["ZONE"], "b");
  assert.equal(env["TOKEN"], "canary-5f1c");
  assert.equal(env["HARNESS_SERVICE"], "web");
  assert.equal(env["HARNESS_VERSION"], "1.0.0");
  assert.equal(env["HARNESS_INSTALL_DIR"], `${bench.root}/web-1.0.0`);
  assert.equal(env["HARNESS_DATA_DIR"], `${base}/shared`);
  assert.equal(env["HARNESS_LOG_DIR"], `${base}/log`);
  const ours = ["output", "run", "envs"].map((dir) => Deno.statSync(`${base}/${dir}`).mode ?? 0);
  assert.deepEqual(ours.map((mode) => mode & 0o777), [0o700, 0o700, 0o700]);
  assert.equal(env["HARNESS_HOST"], "192.0.2.7");
  assert.equal(env["HARNESS_PORT_HTTP"], String(port));
  // The port moved for everybody: the spec that the server registers has it too.
  assert.deepEqual(host.service?.spec.ports.map((p) => p.port), [port]);
  assert.equal(host.service?.status.running, true);
  const told = JSON.stringify(events) + Deno.readTextFileSync(`${base}/state.json`);
  assert(!told.includes("canary-5f1c"), "a secret was told");
  bench.assertClean();
});

Deno.test("deploy(): the same again sends nothing", async () => {
  await using bench = new Bench();
  const source = await bench.makePackage();
  const first = await run(bench.plan(source));
  let opened = 0;
  const watched = { ...source, open: () => (opened++, source.open()) };
  const second = await run(bench.plan(watched));
  assert.equal(second.host.outcome, "ok");
  assert.equal(second.host.changed, false);
  assert.equal(opened, 0);
  assert.equal(second.host.service?.status.pid, first.host.service?.status.pid);
  assert.match(
    second.events.find((e) => e.step === "upload")?.message ?? "",
    /^already at 1\.0\.0 \(sha256:/,
  );
  assert(!second.events.some((e) => e.step === "start" && e.status !== "skipped"));
  bench.assertClean();
});

Deno.test("deploy(): a new environment restarts the release", async () => {
  await using bench = new Bench();
  const source = await bench.makePackage();
  const first = await run(bench.plan(source));
  const second = await run(bench.plan(source, { env: { MODE: "new" } }));
  assert.equal(second.host.outcome, "ok", JSON.stringify(second.host.error));
  assert.equal(second.host.changed, true);
  assert(ends(second.events).includes("upload:skipped"));
  assert.notEqual(second.host.service?.status.pid, first.host.service?.status.pid);
  assert.match(Deno.readTextFileSync(`${bench.base()}/env`), /^MODE='new'$/m);
  assert.equal([...Deno.readDirSync(`${bench.base()}/envs`)].length, 1);
  assert.deepEqual(bench.running(), ["1.0.0"]);
});

Deno.test("deploy(): a second version, and a rollback to the first", async () => {
  await using bench = new Bench();
  const [one, two] = [await bench.makePackage(), await bench.makePackage({ version: "1.1.0" })];
  await run(bench.plan(one, { env: { MODE: "first" } }));
  const second = await run(bench.plan(two, { env: { MODE: "second" } }));
  assert.deepEqual([second.host.versionBefore, second.host.versionAfter], ["1.0.0", "1.1.0"]);
  assert.deepEqual(bench.running(), ["1.1.0"]);
  const back = await run(bench.rollback());
  assert.equal(back.result.status, "succeeded", JSON.stringify(back.host.error));
  assert.deepEqual([back.host.versionBefore, back.host.versionAfter], ["1.1.0", "1.0.0"]);
  assert.deepEqual(bench.running(), ["1.0.0"]);
  assert.equal(Deno.readLinkSync(`${bench.base()}/current`), `${bench.root}/web-1.0.0`);
  // The environment of that time, not today's.
  assert.match(Deno.readTextFileSync(`${bench.base()}/env`), /^MODE='first'$/m);
  // A second rollback goes further back, never forth again.
  const further = await run(bench.rollback());
  assert.equal(further.host.outcome, "failed");
  assert.equal(further.host.error?.code, "not_found");
  const forth = await run(bench.rollback("1.1.0"));
  assert.equal(forth.host.outcome, "ok");
  assert.deepEqual(bench.running(), ["1.1.0"]);
  bench.assertClean();
});

Deno.test("deploy(): a cached package is not uploaded", async () => {
  await using bench = new Bench();
  const one = await bench.makePackage();
  await run(bench.plan(one));
  Deno.removeSync(`${bench.root}/web-1.0.0`, { recursive: true });
  const again = await run(bench.plan(one));
  assert.equal(again.host.outcome, "ok", JSON.stringify(again.host.error));
  const upload = again.events.find((e) => e.step === "upload" && e.status === "skipped");
  assert.equal(upload?.bytes, 0);
  assert.equal(Deno.readTextFileSync(`${bench.root}/web-1.0.0/bin/data.txt`), "data of 1.0.0\n");
  // A damaged cache is noticed by its digest and not used.
  Deno.writeTextFileSync(`${bench.root}/.harness/cache/${one.sha256}`, "damaged");
  Deno.removeSync(`${bench.root}/web-1.0.0`, { recursive: true });
  const third = await run(bench.plan(one));
  assert.equal(third.host.outcome, "ok", JSON.stringify(third.host.error));
  assert(ends(third.events).includes("upload:done"));
});

Deno.test("deploy(): other bytes under a version need force", async () => {
  await using bench = new Bench();
  const one = await bench.makePackage();
  const other = await bench.makePackage({ files: { "bin/more.txt": "more" } });
  await run(bench.plan(one));
  const refused = await run(bench.plan(other));
  assert.equal(refused.host.outcome, "failed");
  assert.equal(refused.host.error?.code, "conflict");
  assert.equal(refused.host.error?.details?.["reason"], "other_bytes");
  assert.deepEqual(bench.running(), ["1.0.0"]);
  const forced = await run(bench.plan(other, { force: true }));
  assert.equal(forced.host.outcome, "ok", JSON.stringify(forced.host.error));
  const dir = `${bench.root}/web-1.0.0~${other.sha256.slice(0, 8)}`;
  assert.equal(Deno.readLinkSync(`${bench.base()}/current`), dir);
  assert.equal(Deno.readTextFileSync(`${dir}/bin/more.txt`), "more");
  const back = await run(bench.rollback());
  assert.equal(back.host.outcome, "ok", JSON.stringify(back.host.error));
  assert.equal(Deno.readLinkSync(`${bench.base()}/current`), `${bench.root}/web-1.0.0`);
  bench.assertClean();
});

Deno.test("deploy(): a directory of something else is refused", async () => {
  await using bench = new Bench();
  Deno.mkdirSync(`${bench.root}/web-1.0.0`);
  const { host } = await run(bench.plan(await bench.makePackage()));
  assert.equal(host.error?.details?.["reason"], "foreign_directory");
  assert(Deno.statSync(`${bench.root}/web-1.0.0`).isDirectory);
  bench.assertClean();
});

Deno.test("prune: keeps as many good releases as asked", async () => {
  await using bench = new Bench();
  const FAIL = "#!/bin/sh\nexit 3\n";
  const deployed: string[] = [];
  for (
    const [version, start] of [
      ["1.0.0"],
      ["1.1.0"],
      ["1.2.0", FAIL],
      ["1.3.0", FAIL],
      ["1.4.0", FAIL],
      ["1.5.0"],
      ["1.6.0"],
    ]
  ) {
    assert(version !== undefined);
    const source = await bench.makePackage({ version, ...(start === undefined ? {} : { start }) });
    deployed.push((await run(bench.plan(source, { keepReleases: 2 }))).host.outcome);
  }
  assert.deepEqual(deployed, ["ok", "ok", "rolled_back", "rolled_back", "rolled_back", "ok", "ok"]);
  const releases = bench.state().releases.map((r) => `${r.version} ${r.status}`);
  assert.deepEqual(releases, ["1.3.0 bad", "1.4.0 bad", "1.5.0 good", "1.6.0 good"]);
  const dirs = [...Deno.readDirSync(bench.root)].map((e) => e.name).sort();
  assert.deepEqual(dirs, [".harness", "web-1.3.0", "web-1.4.0", "web-1.5.0", "web-1.6.0"]);
  assert.equal([...Deno.readDirSync(`${bench.root}/.harness/cache`)].length, 4);
  const back = await run(bench.rollback());
  assert.equal(back.host.versionAfter, "1.5.0");
});

Deno.test("deploy(): an invalid plan is refused at once", async () => {
  await using bench = new Bench();
  const source = await bench.makePackage({ yaml: "env: {NEEDED: {required: true}}\n" });
  const never = { ...bench.target(), connect: () => Promise.reject(new Error("touched")) };
  const refused = async (more: Parameters<Bench["plan"]>[1], words: RegExp) => {
    const plan = bench.plan(source, { hosts: [never], env: { NEEDED: "1" }, ...more });
    await assert.rejects(run(plan), (error: Error & { code?: string }) => {
      assert.match(error.message, words);
      return error.code === "invalid_params";
    });
  };
  await refused({ env: {} }, /requires NEEDED/);
  await refused({ env: { NEEDED: "1", "A-B": "x" } }, /not a valid variable name/);
  await refused({ env: { NEEDED: "1\0" } }, /NUL/);
  await refused({ hosts: [] }, /no host/);
  await refused({ hosts: [never, never] }, /twice/);
  await refused({ deploymentId: "../x" }, /deployment id/);
  await refused({ hosts: [{ ...never, installRoot: "opt" }] }, /absolute/);
});

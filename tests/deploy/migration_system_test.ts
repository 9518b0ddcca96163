/**
 * A host that the version before set up (recorded in previous_version/ by its own deployment): what it left is read,
 * and the next deployment moves the host over.
 */
import assert from "node:assert/strict";
import { needs } from "../helpers/require.ts";
import { Bench, run } from "./support.ts";
import { eventually } from "../helpers/raw_client.ts";

const RECORDED = new URL("./previous_version/", import.meta.url);

/** The recorded text with the paths of this bench. */
function recorded(bench: Bench, name: string): string {
  return Deno.readTextFileSync(new URL(name, RECORDED)).replaceAll("@ROOT@", bench.root);
}

/** Lays the host out as the version before left it, and starts the release as it did: by its own shell text. */
async function setUp(bench: Bench): Promise<void> {
  // Its user must be able to come to the release.
  Deno.chmodSync(bench.dir, 0o755);
  const base = bench.base();
  const release = `${bench.root}/web-1.0.0`;
  for (const dir of ["envs", "log", "run/1.0.0", "shared"]) {
    Deno.mkdirSync(`${base}/${dir}`, { recursive: true });
  }
  Deno.mkdirSync(`${bench.root}/.harness/cache`);
  Deno.chmodSync(`${base}/envs`, 0o700);
  for (const dir of ["log", "shared"]) Deno.chownSync(`${base}/${dir}`, 65534, 0);
  Deno.mkdirSync(`${release}/scripts`, { recursive: true });
  Deno.writeTextFileSync(`${release}/scripts/start.sh`, recorded(bench, "start.sh"));
  Deno.chmodSync(`${release}/scripts/start.sh`, 0o755);
  Deno.writeTextFileSync(`${base}/state.json`, recorded(bench, "state.json"));
  const { env } = bench.state().releases[0] ?? {};
  Deno.writeTextFileSync(`${base}/envs/${env}`, recorded(bench, "release.env"), { mode: 0o600 });
  Deno.linkSync(`${base}/envs/${env}`, `${base}/env`);
  Deno.symlinkSync(release, `${base}/current`);
  Deno.writeTextFileSync(`${base}/run/1.0.0/web.sh`, recorded(bench, "web.sh"));
  const keeper = [
    ...["/bin/sh", `${base}/run/1.0.0/web.sh`, `${base}/run/1.0.0/web`, `${base}/log/web.log`],
    ...["10485760", "5", "foreground", release, `${base}/envs/${env}`, "nobody"],
    ...[crypto.randomUUID(), `${release}/scripts/start.sh`],
  ];
  const start = 'log=$1; shift; exec setsid -f env -i PATH="$PATH" "$@" </dev/null >>"$log" 2>&1';
  new Deno.Command("sh", { args: ["-c", start, "sh", `${base}/log/web.log`, ...keeper] })
    .outputSync();
  await eventually(() => bench.running().length === 1, "the old release runs");
}

Deno.test({
  name: "migration: a host of the version before is moved over",
  ignore: needs("root"),
  async fn() {
    await using bench = new Bench();
    await setUp(bench);
    const base = bench.base();
    const own = () => Deno.readTextFileSync(`${base}/log/own.log`);
    await eventually(async () => {
      return await Deno.stat(`${base}/log/own.log`).then(({ size }) => size > 0, () => false);
    }, "it has written its own log");
    const yaml = "service: {type: managed_process, user: nobody}\n" +
      "env: {TOKEN: {secret: true, required: true}}\n";
    const two = await bench.makePackage({ version: "2.0.0", yaml });
    // One that fails first: the old release runs again, by its record and with its environment.
    const bad = await bench.makePackage({ version: "1.5.0", yaml, start: "#!/bin/sh\nexit 7\n" });
    const secrets = { TOKEN: "n3w-t0ken" };
    const failed = await run(bench.plan(bad, { secrets }));
    assert.equal(failed.host.outcome, "rolled_back", JSON.stringify(failed.host.error));
    assert.equal(failed.host.versionBefore, "1.0.0");
    assert.deepEqual(bench.running(), ["1.0.0"]);
    const moved = await run(bench.plan(two, { secrets }));
    assert.equal(moved.host.outcome, "ok", JSON.stringify(moved.host.error));
    assert.deepEqual(bench.running(), ["2.0.0"]);
    // What root writes is where the service's user cannot come; what is the user's stayed as it was.
    const mode = (path: string) => (Deno.statSync(`${base}/${path}`).mode ?? 0) & 0o777;
    assert.deepEqual([mode("output"), mode("run"), mode("envs")], [0o700, 0o700, 0o700]);
    assert.deepEqual([
      Deno.statSync(`${base}/log`).uid,
      Deno.statSync(`${base}/shared`).uid,
      Deno.statSync(`${base}/output`).uid,
    ], [65534, 65534, 0]);
    assert.match(Deno.readTextFileSync(`${base}/output/web.log`), /hello from 2\.0\.0/);
    assert.match(Deno.readTextFileSync(`${base}/log/web.log`), /hello from 1\.0\.0/);
    assert.match(own(), /^kept\n/);
    const [before] = bench.state().releases;
    assert.equal(before?.spec?.logDir, `${base}/output`);
    // And back to it, with the environment that it had.
    const back = await run(bench.rollback());
    assert.equal(back.host.outcome, "ok", JSON.stringify(back.host.error));
    assert.deepEqual(bench.running(), ["1.0.0"]);
    const release = bench.state().releases.find((r) => r.version === "1.0.0");
    assert.equal(release?.run?.manager, "process");
    assert.match(Deno.readTextFileSync(`${base}/envs/${release?.env}`), /TOKEN='s3cret'/);
    bench.assertClean();
  },
});

/** Releases that fail on this machine. */
import assert from "node:assert/strict";
import type { DeployProgress, HostResult } from "../../src/deploy/progress.ts";
import { Bench, ends, type PackageOptions, run, START } from "./support.ts";

/** Deploys 1.0.0 well, then 1.1.0 as told, and checks that the host is as it was. */
async function failSecond(
  bench: Bench,
  second: PackageOptions,
  more: Parameters<Bench["plan"]>[1] = {},
  onEvent: (event: DeployProgress) => void = () => {},
): Promise<{ events: DeployProgress[]; host: HostResult }> {
  const one = await bench.makePackage({ yaml: "env: {MODE: one}\n" });
  const first = await run(bench.plan(one));
  assert.equal(first.host.outcome, "ok", JSON.stringify(first.host.error));
  const two = await bench.makePackage({ version: "1.1.0", ...second });
  const { events, host } = await run(bench.plan(two, more), { onEvent });
  assertAsBefore(bench);
  const bad = bench.state().releases.find((r) => r.version === "1.1.0");
  if (bad !== undefined) {
    assert.equal(bad.status, "bad");
    assert.notEqual(bad.reason, null);
  }
  return { events, host };
}

function assertAsBefore(bench: Bench): void {
  bench.assertClean();
  assert.deepEqual(bench.running(), ["1.0.0"]);
  assert.equal(bench.state().active, "1.0.0");
  assert.equal(bench.state().pending, null);
  assert.equal(Deno.readLinkSync(`${bench.base()}/current`), `${bench.root}/web-1.0.0`);
  assert.match(Deno.readTextFileSync(`${bench.base()}/env`), /^HARNESS_VERSION='1\.0\.0'$/m);
}

Deno.test("start: a script that fails is rolled back", async () => {
  await using bench = new Bench();
  const { events, host } = await failSecond(bench, {
    start: "#!/bin/sh\necho starting\necho 'no database at db:5432' >&2\nexit 3\n",
  });
  assert.equal(host.outcome, "rolled_back");
  assert.equal(host.step, "start");
  assert.deepEqual([host.versionBefore, host.versionAfter], ["1.0.0", "1.0.0"]);
  assert.equal(host.service?.version, "1.0.0");
  assert.equal(host.service?.status.running, true);
  const details = host.error?.details ?? {};
  assert.equal(details["exit_code"], 3);
  assert.equal(details["step"], "start");
  assert.equal(details["command"], `${bench.root}/web-1.1.0/scripts/start.sh`);
  assert.match(JSON.stringify(details["log"]), /no database at db:5432/);
  assert.match(String(details["next"]), /its log \(\S+\/web\/output\/web\.log on here\), fix/);
  assert(ends(events).join().endsWith("start:failed,rollback:done,unlock:done,finish:failed"));
  // Evidence stays.
  assert(Deno.statSync(`${bench.root}/web-1.1.0/scripts/start.sh`).isFile);
});

Deno.test("health: a script that looks at nothing is not enough", async () => {
  await using bench = new Bench();
  const { events, host } = await failSecond(bench, {
    start: "#!/bin/sh\necho 'cannot bind' >&2\nsleep 1\nexit 4\n",
    yaml: "health: {script: scripts/health.sh}\n",
    files: { "scripts/health.sh": "#!/bin/sh\nexit 0\n" },
  }, { timing: { settleMs: 4_000 } });
  assert.equal(host.outcome, "rolled_back");
  // On a machine that is so busy it may have ended before its start was seen.
  assert.match(host.step ?? "", /^(start|health)$/);
  assert.equal(host.error?.code, "deploy_failed");
  assert.equal(host.error?.details?.["exit_code"], 4);
  assert.match(JSON.stringify(host.error?.details?.["log"]), /cannot bind/);
  assert(ends(events).join().endsWith(":failed,rollback:done,unlock:done,finish:failed"));
});

Deno.test("health: a script that failed first is waited for no longer", async () => {
  await using bench = new Bench();
  const one = await bench.makePackage({
    start: START.replace("while", 'sleep 0.5; : > "$HARNESS_DATA_DIR/up"\nwhile'),
    yaml: "health: {script: scripts/health.sh, retries: 1, start_period: 60s}\n",
    files: { "scripts/health.sh": '#!/bin/sh\n[ -e "$HARNESS_DATA_DIR/up" ] || exit 2\n' },
  });
  // So long a pause would end this test by its limit.
  const { host } = await run(bench.plan(one, { timing: { settleMs: 3_600_000 } }));
  assert.equal(host.outcome, "ok", JSON.stringify(host.error));
});

Deno.test("start: a program that cannot be executed is rolled back", async () => {
  await using bench = new Bench();
  const { host } = await failSecond(bench, { start: "#!/no/such/interpreter\n" });
  assert.equal(host.outcome, "rolled_back");
  assert.match(host.error?.message ?? "", /\/no\/such\/interpreter/);
});

Deno.test("lock: an install root that is not writable", async () => {
  await using bench = new Bench();
  Deno.writeTextFileSync(`${bench.dir}/file`, "");
  const target = bench.target("here", { installRoot: `${bench.dir}/file` });
  const { host } = await run(bench.plan(await bench.makePackage(), { hosts: [target] }));
  assert.equal(host.outcome, "failed");
  assert.equal(host.error?.details?.["reason"], "unwritable");
  assert.match(host.error?.message ?? "", /become/);
});

Deno.test("health: reports status and body of an HTTP check", async () => {
  await using bench = new Bench();
  // Here and not in the service: so it listens from the first check on, however busy the machine is.
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("database is down", { status: 503 }),
  );
  const two: PackageOptions = {
    yaml: `health: {http: {port: ${server.addr.port}, path: /healthz}, timeout: 30s, retries: 1}\n`,
  };
  const { host } = await failSecond(bench, two, { healthTimeoutMs: 1000 });
  assert.equal(host.outcome, "rolled_back", JSON.stringify(host.error));
  assert.equal(host.step, "health");
  const health = host.error?.details?.["health"] as Record<string, unknown>;
  assert.equal(health["http_status"], 503);
  assert.match(String(health["output"]), /database is down/);
});

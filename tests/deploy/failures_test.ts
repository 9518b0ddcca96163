import assert from "node:assert/strict";
import type { Executor } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import type { HostResult } from "../../src/deploy/progress.ts";
import type { DeployProgress } from "../../src/deploy/progress.ts";
import { HarnessError } from "../../src/errors.ts";
import { STOP_SCRIPT } from "../../src/lifecycle/drivers/process/scripts.ts";
import { Bench, ends, type PackageOptions, run } from "./support.ts";

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

Deno.test("deploy() rolls back when the start script fails, and says how it ended", async () => {
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
  assert.match(String(details["next"]), /its log \(\S+\/web\/output\/web\.log on here\), correct/);
  assert(ends(events).join().endsWith("start:failed,rollback:done,unlock:done,finish:failed"));
  // Evidence stays.
  assert(Deno.statSync(`${bench.root}/web-1.1.0/scripts/start.sh`).isFile);
});

Deno.test("deploy() rolls back when the service dies after a good start", async () => {
  await using bench = new Bench();
  // It ends when its health step begins, which gives it a second to show whether it stays.
  const end = `${bench.dir}/end`;
  const start = `#!/bin/sh\necho up\nwhile [ ! -e '${end}' ]; do sleep 0.05; done\nexit 0\n`;
  const { host } = await failSecond(bench, { start }, {}, (event) => {
    if (event.step === "health") Deno.writeTextFileSync(end, "");
  });
  assert.equal(host.outcome, "rolled_back");
  assert.equal(host.step, "health");
  assert.equal(host.error?.details?.["exit_code"], 0);
  assert.match(host.error?.message ?? "", /^Cannot keep web on \S+: it started/);
});

Deno.test("deploy() rolls back when the health check never passes, and shows what it said", async () => {
  await using bench = new Bench();
  const { host } = await failSecond(bench, {
    yaml: "health: {script: scripts/health.sh, timeout: 30s, retries: 1, start_period: 500ms}\n",
    files: { "scripts/health.sh": "#!/bin/sh\necho 'queue is full'\nexit 2\n" },
  }, { healthTimeoutMs: 1500 });
  assert.equal(host.outcome, "rolled_back");
  assert.equal(host.step, "health");
  const details = host.error?.details ?? {};
  assert.match(JSON.stringify(details["health"]), /queue is full/);
  assert.match(JSON.stringify(details["log"]), /hello from 1\.1\.0/);
});

Deno.test("deploy() rolls back when the health check hangs", async () => {
  await using bench = new Bench();
  const { host } = await failSecond(bench, {
    yaml: "health: {script: scripts/health.sh, timeout: 300ms, retries: 1, start_period: 300ms}\n",
    files: { "scripts/health.sh": "#!/bin/sh\nsleep 60\n" },
  }, { healthTimeoutMs: 1000 });
  assert.equal(host.outcome, "rolled_back");
  assert.match(JSON.stringify(host.error?.details?.["health"]), /no answer within 300 ms/);
});

Deno.test("deploy() rolls back when the program cannot be executed at all", async () => {
  await using bench = new Bench();
  const { host } = await failSecond(bench, { start: "#!/no/such/interpreter\n" });
  assert.equal(host.outcome, "rolled_back");
  assert.match(host.error?.message ?? "", /\/no\/such\/interpreter/);
});

Deno.test("deploy() does not start again an old version that did not run before", async () => {
  await using bench = new Bench();
  const first = await run(bench.plan(await bench.makePackage()));
  const { createController } = await import("../../src/lifecycle/controller.ts");
  await using executor = localExecutor();
  assert(first.host.service !== null);
  await createController(executor, first.host.service.spec).stop();
  const two = await bench.makePackage({ version: "1.1.0", start: "#!/bin/sh\nexit 1\n" });
  const { host } = await run(bench.plan(two));
  assert.equal(host.outcome, "rolled_back");
  assert.deepEqual(bench.running(), []);
  assert.equal(bench.state().active, "1.0.0");
  bench.assertClean();
});

Deno.test("deploy() of a first version that fails leaves nothing running and does not claim a rollback", async () => {
  await using bench = new Bench();
  const source = await bench.makePackage({ start: "#!/bin/sh\nexit 1\n" });
  const { result, host } = await run(bench.plan(source));
  assert.equal(host.outcome, "failed");
  assert.equal(result.status, "failed");
  assert.deepEqual(bench.running(), []);
  assert.equal(bench.state().active, null);
  assert.throws(() => Deno.readLinkSync(`${bench.base()}/current`));
  assert.throws(() => Deno.statSync(`${bench.base()}/env`));
  bench.assertClean();
  // Corrected under the same version: only force may say that the bytes are others.
  const again = await run(bench.plan(await bench.makePackage(), { force: true }));
  assert.equal(again.host.outcome, "ok", JSON.stringify(again.host.error));
});

Deno.test("deploy() refuses what preflight finds, all of it at once, and changes nothing", async () => {
  await using bench = new Bench();
  const { host } = await failSecond(bench, {
    yaml: "service: {type: managed_process, user: nobody-here}\n" +
      "requires: {commands: [no-such-command, sh], libraries: [libnosuch.so.9], arch: [vax]}\n",
  });
  assert.equal(host.outcome, "failed");
  assert.equal(host.step, "preflight");
  for (const word of [/no-such-command/, /libnosuch\.so\.9/, /vax/, /nobody-here/]) {
    assert.match(host.error?.message ?? "", word);
  }
  assert(!(host.error?.message ?? "").includes("sh,"));
});

Deno.test("deploy() says what to do when the install root cannot be written", async () => {
  await using bench = new Bench();
  Deno.writeTextFileSync(`${bench.dir}/file`, "");
  const target = bench.target("here", { installRoot: `${bench.dir}/file` });
  const { host } = await run(bench.plan(await bench.makePackage(), { hosts: [target] }));
  assert.equal(host.outcome, "failed");
  assert.equal(host.error?.details?.["reason"], "unwritable");
  assert.match(host.error?.message ?? "", /become/);
});

Deno.test("deploy() shows what an HTTP health check got: status and beginning of the body", async () => {
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

Deno.test("deploy() that went back but could not stop the new release says that, and leaves the record of it", async () => {
  await using bench = new Bench();
  await run(bench.plan(await bench.makePackage()));
  const local = localExecutor();
  let stops = 0;
  const executor: Executor = {
    host: local.host,
    async run(command, options) {
      const result = await local.run(command, options);
      // The first stop is that of the release from before, the second that of the one that failed.
      if ("script" in command && command.script.includes(STOP_SCRIPT) && ++stops === 2) {
        throw new HarnessError("unavailable", "Cannot stop web: processes 7 outlive SIGKILL");
      }
      return result;
    },
    [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
  };
  const target = bench.target("here", { connect: () => Promise.resolve(executor) });
  const two = await bench.makePackage({ version: "2.0.0", start: "#!/bin/sh\nexit 4\n" });
  const { events, host } = await run(bench.plan(two, { hosts: [target] }));
  assert.equal(stops, 2);
  assert.equal(host.outcome, "rollback_failed", JSON.stringify(host.error));
  assert(ends(events).includes("rollback:failed"));
  const { message = "", details } = host.error ?? {};
  assert.match(message, /; 1\.0\.0 runs again, but 2\.0\.0 could not be stopped on here$/);
  assert.match(String(details?.["rollback_error"]), /outlive SIGKILL/);
  assert.equal(details?.["next"], "stop what is left of 2.0.0 on here");
  assertAsBefore(bench);
  assert.equal(bench.state().releases.find((r) => r.version === "2.0.0")?.status, "bad");
});

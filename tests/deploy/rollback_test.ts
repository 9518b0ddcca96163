/** Failures of a release on hosts in memory: what is rolled back, and what the report has. */
import assert from "node:assert/strict";
import type { DeployPlan } from "../../src/deploy/plan.ts";
import type { DeployProgress, HostResult } from "../../src/deploy/progress.ts";
import { MemoryHost } from "../helpers/memory_host/host.ts";
import type { Program } from "../helpers/memory_host/service.ts";
import { BASE, faultyTarget, memoryPackage, memoryPlan } from "./memory_bench.ts";
import { run } from "./support.ts";

const HEALTH =
  "health: {script: scripts/health.sh, timeout: 100ms, retries: 1, start_period: 1s}\n";

/** Deploys 1.0.0, then 1.1.0, which fails; the host must be as before. */
async function failSecond(
  program: Program,
  options: {
    yaml?: string;
    more?: Partial<DeployPlan>;
    onEvent?: (event: DeployProgress, host: MemoryHost) => void;
  } = {},
): Promise<HostResult> {
  const host = new MemoryHost();
  await run(memoryPlan(await memoryPackage("1.0.0"), [host]));
  host.programs.set("1.1.0", program);
  const source = await memoryPackage("1.1.0", options.yaml);
  const { host: result } = await run(memoryPlan(source, [host], options.more), {
    onEvent: (event) => options.onEvent?.(event, host),
  });
  assert.deepEqual(host.services.running(BASE), ["1.0.0"]);
  assert.deepEqual(host.leftovers(BASE), []);
  assert.equal(host.current(BASE), "/opt/web-1.0.0");
  const bad = host.state(BASE)?.releases.find((release) => release.version === "1.1.0");
  assert.notEqual(bad?.status, "good");
  return result;
}

Deno.test("health: a service that dies after its start is rolled back", async () => {
  const result = await failSecond({ log: ["up"] }, {
    onEvent: ({ step, status }, host) => {
      if (step !== "health" || status !== "started") return;
      const runDir = host.state(BASE)?.pending?.to.spec?.runDir ?? "";
      host.services.end(runDir, { code: 0, asked: false });
    },
  });
  assert.deepEqual([result.outcome, result.step], ["rolled_back", "health"]);
  assert.equal(result.error?.details?.["exit_code"], 0);
  assert.match(result.error?.message ?? "", /^Cannot keep web on \S+: it started/);
});

Deno.test("health: a check that never passes is reported with its log", async () => {
  const program: Program = { health: [2, "queue is full"], log: ["hello from 1.1.0"] };
  const result = await failSecond(program, { yaml: HEALTH, more: { healthTimeoutMs: 20 } });
  assert.deepEqual([result.outcome, result.step], ["rolled_back", "health"]);
  const { health, log } = result.error?.details ?? {};
  assert.match(JSON.stringify(health), /queue is full/);
  assert.deepEqual(log, ["hello from 1.1.0"]);
});

Deno.test("health: a check that hangs is rolled back", async () => {
  const more = { healthTimeoutMs: 1 };
  const result = await failSecond({ health: "hangs" }, { yaml: HEALTH, more });
  assert.equal(result.outcome, "rolled_back");
  assert.match(JSON.stringify(result.error?.details?.["health"]), /100 ms/);
});

Deno.test("rollback: a version that did not run is not started", async () => {
  const host = new MemoryHost();
  const first = await run(memoryPlan(await memoryPackage("1.0.0"), [host]));
  host.services.end(first.host.service?.spec.runDir ?? "", { code: 0, asked: true });
  host.programs.set("1.1.0", { exits: 1 });
  const { host: result } = await run(memoryPlan(await memoryPackage("1.1.0"), [host]));
  assert.equal(result.outcome, "rolled_back");
  assert.deepEqual(host.services.running(BASE), []);
  assert.equal(host.state(BASE)?.active, "1.0.0");
});

Deno.test("rollback: a first version that fails claims none", async () => {
  const host = new MemoryHost();
  host.programs.set("1.0.0", { exits: 1 });
  const { host: result, result: all } = await run(
    memoryPlan(await memoryPackage("1.0.0"), [host]),
  );
  assert.deepEqual([result.outcome, all.status], ["failed", "failed"]);
  assert.deepEqual([host.state(BASE)?.active, host.current(BASE)], [null, null]);
  assert.deepEqual([host.services.running(BASE), host.leftovers(BASE)], [[], []]);
  // Fixed under the same version: accepted with force only.
  host.programs.clear();
  const fixed = await memoryPackage("1.0.0", "env: {FIXED: yes}\n");
  const refused = await run(memoryPlan(fixed, [host]));
  assert.equal(refused.host.error?.details?.["reason"], "other_bytes");
  const again = await run(memoryPlan(fixed, [host], { force: true }));
  assert.equal(again.host.outcome, "ok", JSON.stringify(again.host.error));
});

Deno.test("rollback: reports a release that could not be stopped", async () => {
  const host = new MemoryHost();
  await run(memoryPlan(await memoryPackage("1.0.0"), [host]));
  host.programs.set("2.0.0", { exits: 4 });
  let stops = 0;
  const hosts = faultyTarget(
    host,
    (name) => name === "process/stop" && ++stops === 2 ? [1, "outlives SIGKILL"] : undefined,
  );
  const { host: result } = await run(memoryPlan(await memoryPackage("2.0.0"), [], { hosts }));
  assert.equal(result.outcome, "rollback_failed", JSON.stringify(result.error));
  const { message = "", details } = result.error ?? {};
  assert.match(message, /; 1\.0\.0 runs again, but 2\.0\.0 could not be stopped on here$/);
  assert.match(String(details?.["rollback_error"]), /^Cannot stop web 2\.0\.0 on here/);
  assert.equal(details?.["next"], "stop what is left of 2.0.0 on here");
  assert.deepEqual([host.services.running(BASE), host.leftovers(BASE)], [["1.0.0"], []]);
  const bad = host.state(BASE)?.releases.find((release) => release.version === "2.0.0");
  assert.equal(bad?.status, "bad");
});

Deno.test("preflight: fails with all problems at once", async () => {
  const result = await failSecond({}, {
    yaml: "requires: {commands: [no-such-command, sh], libraries: [libnosuch.so.9], arch: [vax]}\n",
  });
  assert.deepEqual([result.outcome, result.step], ["failed", "preflight"]);
  const { message = "" } = result.error ?? {};
  for (const word of [/no-such-command/, /libnosuch\.so\.9/, /vax/]) assert.match(message, word);
  assert(!message.includes("sh,"));
});

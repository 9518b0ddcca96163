import assert from "node:assert/strict";
import { localExecutor } from "../../src/executor/local.ts";
import { deployFleet, fleetStatus } from "../../src/deploy/fleet.ts";
import type { DeployPlan, HostTarget } from "../../src/deploy/plan.ts";
import type { DeployProgress } from "../../src/deploy/progress.ts";
import { HarnessError } from "../../src/errors.ts";
import { Bench, run } from "./support.ts";

Deno.test("fleetStatus() folds the outcomes of hosts", () => {
  const plain = { cancelled: false, skipUnreachable: false };
  assert.equal(fleetStatus(["ok", "ok"], plain), "succeeded");
  assert.equal(fleetStatus(["ok", "failed"], plain), "partial");
  assert.equal(fleetStatus(["ok", "unreachable"], plain), "partial");
  assert.equal(
    fleetStatus(["ok", "unreachable"], { ...plain, skipUnreachable: true }),
    "succeeded",
  );
  assert.equal(fleetStatus(["unreachable"], { ...plain, skipUnreachable: true }), "failed");
  assert.equal(fleetStatus(["rolled_back", "skipped"], plain), "rolled_back");
  assert.equal(fleetStatus(["rolled_back", "rollback_failed"], plain), "failed");
  assert.equal(fleetStatus(["failed", "skipped"], plain), "failed");
  assert.equal(fleetStatus(["ok", "cancelled"], { ...plain, cancelled: true }), "cancelled");
  assert.equal(fleetStatus(["ok", "ok"], { ...plain, cancelled: true }), "succeeded");
});

/** Hosts of which some cannot be reached, and what happened to each. */
async function without(
  bench: Bench,
  count: number,
  dead: readonly number[],
  strategy: NonNullable<DeployPlan["strategy"]>,
): Promise<{ outcomes: string[]; status: string; most: number }> {
  let open = 0;
  let most = 0;
  const hosts = Array.from({ length: count }, (_, i): HostTarget => {
    const installRoot = `${bench.dir}/root-${i}`;
    Deno.mkdirSync(installRoot, { recursive: true });
    return {
      label: `h${i}`,
      installRoot,
      connect: () => {
        if (dead.includes(i)) {
          return Promise.reject(new HarnessError("unreachable", `Cannot connect to h${i}`));
        }
        const inner = localExecutor();
        most = Math.max(most, ++open);
        return Promise.resolve({
          host: `h${i}`,
          run: (command, options) => inner.run(command, options),
          [Symbol.asyncDispose]: () => (open--, inner[Symbol.asyncDispose]()),
        });
      },
    };
  });
  const source = await bench.makePackage();
  const { result } = await run(bench.plan(source, { hosts, strategy }));
  return { outcomes: result.hosts.map((h) => h.outcome), status: result.status, most };
}

Deno.test("deploy() goes on with all other hosts when some cannot be reached", async () => {
  await using bench = new Bench();
  const { outcomes, status, most } = await without(bench, 5, [0, 2], { parallel: 2 });
  assert.deepEqual(outcomes, ["unreachable", "ok", "unreachable", "ok", "ok"]);
  assert.equal(status, "partial");
  assert(most <= 2, `${most} at once`);
});

Deno.test("deploy() with on_unreachable skip succeeds on those that can be reached", async () => {
  await using bench = new Bench();
  const { outcomes, status } = await without(bench, 3, [1], { onUnreachable: "skip" });
  assert.deepEqual(outcomes, ["ok", "unreachable", "ok"]);
  assert.equal(status, "succeeded");
});

Deno.test("deploy() stops after a canary that was not fine, and begins nobody else", async () => {
  await using bench = new Bench();
  const { outcomes, status } = await without(bench, 4, [0], { canary: 1 });
  assert.deepEqual(outcomes, ["unreachable", "skipped", "skipped", "skipped"]);
  assert.equal(status, "failed");
});

Deno.test("deploy() begins no new host once more have failed than allowed", async () => {
  await using bench = new Bench();
  const source = await bench.makePackage({ start: "#!/bin/sh\nexit 1\n" });
  const hosts = [0, 1, 2, 3].map((i) => {
    const installRoot = `${bench.dir}/root-${i}`;
    Deno.mkdirSync(installRoot);
    return bench.target(`h${i}`, { installRoot });
  });
  const strict = await run(bench.plan(source, { hosts, strategy: { parallel: 1 } }));
  assert.deepEqual(strict.result.hosts.map((h) => h.outcome), [
    "failed",
    "skipped",
    "skipped",
    "skipped",
  ]);
  const loose = await run(
    bench.plan(source, { hosts, strategy: { parallel: 1, maxFailures: 2 }, force: true }),
  );
  assert.deepEqual(loose.result.hosts.map((h) => h.outcome), [
    "failed",
    "failed",
    "failed",
    "skipped",
  ]);
  const last = loose.events.filter((e) => e.host === "h3");
  assert.deepEqual(last.map((e) => [e.step, e.status, e.outcome]), [[
    "finish",
    "skipped",
    "skipped",
  ]]);
});

Deno.test("deploy() cancelled leaves hosts that were not begun alone", async () => {
  await using bench = new Bench();
  const source = await bench.makePackage();
  const hosts = [0, 1, 2].map((i) => {
    const installRoot = `${bench.dir}/root-${i}`;
    Deno.mkdirSync(installRoot);
    return bench.target(`h${i}`, { installRoot });
  });
  const cancel = new AbortController();
  const { result } = await run(bench.plan(source, { hosts, strategy: { parallel: 1 } }), {
    signal: cancel.signal,
    onEvent: (event) => {
      if (event.host === "h1" && event.step === "extract") cancel.abort();
    },
  });
  assert.deepEqual(result.hosts.map((h) => h.outcome), ["ok", "cancelled", "cancelled"]);
  assert.equal(result.status, "cancelled");
  assert.throws(() => Deno.statSync(`${bench.dir}/root-2/.harness`));
});

Deno.test("deployFleet() closes every host with exactly one finish, and never begins a step twice", async () => {
  await using bench = new Bench();
  const source = await bench.makePackage();
  const hosts = [0, 1].map((i) => {
    const installRoot = `${bench.dir}/root-${i}`;
    Deno.mkdirSync(installRoot);
    return bench.target(`h${i}`, { installRoot });
  });
  const events: DeployProgress[] = [];
  const signal = new AbortController().signal;
  await deployFleet(bench.plan(source, { hosts }), { signal, report: (e) => events.push(e) });
  for (const host of ["h0", "h1"]) {
    const own = events.filter((e) => e.host === host);
    assert.equal(own.filter((e) => e.step === "finish").length, 1);
    assert.equal(own.at(-1)?.step, "finish");
    const started = own.filter((e) => e.status === "started").map((e) => e.step);
    assert.equal(new Set(started).size, started.length);
  }
});

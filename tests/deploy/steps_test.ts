/** The steps of one host: their order, and a fault or a cancel at each of its commands. */
import assert from "node:assert/strict";
import { DEPLOY_STEPS } from "../../src/model/deployment.ts";
import { deploy } from "../../src/deploy/deploy.ts";
import type { DeployPlan } from "../../src/deploy/plan.ts";
import type { HostResult } from "../../src/deploy/progress.ts";
import { HarnessError } from "../../src/errors.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { commandName } from "../../src/executor/shell/shell_line.ts";
import type { Fault } from "../helpers/faulty_executor.ts";
import { MemoryHost } from "../helpers/memory_host/host.ts";
import { BASE, faultyTarget, memoryPackage, memoryPlan } from "./memory_bench.ts";
import { ends, run } from "./support.ts";

const ONE = await memoryPackage("1.0.0");
const TWO = await memoryPackage("2.0.0");
/** All of a deployment that goes well. */
const HAPPY = DEPLOY_STEPS.filter((step) => step !== "rollback");

/** A host that runs 1.0.0. */
async function hostWithOne(): Promise<MemoryHost> {
  const host = new MemoryHost();
  const first = await run(memoryPlan(ONE, [host]));
  assert.equal(first.host.outcome, "ok", JSON.stringify(first.host.error));
  host.log.length = 0;
  return host;
}

/** The commands of a second deployment that goes well. */
async function commandsOf(more: Partial<DeployPlan> = {}): Promise<string[]> {
  const host = await hostWithOne();
  await run(memoryPlan(TWO, [host], more));
  return host.log;
}

/** That it runs exactly one version, which its record and its link name, and that nothing is left. */
function assertOldOrNew(host: MemoryHost, result: HostResult, context: string): void {
  const state = host.state(BASE);
  const active = state?.releases.find((r) => r.id === state.active)?.version ?? "none";
  assert.equal(state?.pending, null, context);
  assert.deepEqual(host.services.running(BASE), [active], context);
  assert.equal(host.current(BASE), `/opt/web-${active}`, context);
  assert.deepEqual(host.leftovers(BASE), [], context);
  // What is reported is what is there.
  assert.equal(active, result.outcome === "ok" ? "2.0.0" : "1.0.0", context);
  if (result.versionAfter !== null) assert.equal(result.versionAfter, active, context);
}

Deno.test("deploy(): takes all steps in order", async () => {
  const { events } = await run(memoryPlan(ONE, [new MemoryHost()]));
  assert.deepEqual(ends(events), HAPPY.map((step) => `${step}:done`));
  const started = events.filter((e) => e.status === "started").map((e) => e.step);
  assert.deepEqual(started, HAPPY.filter((step) => step !== "finish"));
});

Deno.test("deploy(): a release that is there skips every step", async () => {
  const host = await hostWithOne();
  const { events, host: result } = await run(memoryPlan(ONE, [host]));
  assert.equal(result.changed, false);
  assert.deepEqual(
    ends(events),
    HAPPY.map((step) =>
      `${step}:${["connect", "lock", "unlock", "finish"].includes(step) ? "done" : "skipped"}`
    ),
  );
  assert(!host.log.includes("process/start"));
});

Deno.test("deploy(): a host is asked no more than it has to be", async () => {
  // Each is a round trip and some processes on the host: what belongs together goes as one.
  assert.deepEqual(await commandsOf(), [
    "deploy/acquire",
    "process/status",
    "process/occupant",
    "deploy/upload",
    "deploy/verify",
    "deploy/extract",
    "deploy/configure",
    "deploy/switch",
    "process/stop",
    "process/start",
    "process/status",
    "process/status",
    "deploy/commit",
    "deploy/prune",
    "deploy/release",
  ]);
});

/** Deploys 2.0.0 with a fault at command `at`, then lets the lock run out; the next deployment must work. */
async function withFault(fault: Fault, at: number, again: boolean): Promise<string> {
  const host = await hostWithOne();
  const hosts = faultyTarget(host, (_, count) => count === at ? fault : undefined, again);
  const { host: result } = await run(memoryPlan(TWO, [], { hosts }));
  const context = `${JSON.stringify(fault)} at ${at}, ${result.step}: ${
    JSON.stringify(result.error)
  }`;
  host.reachable = true;
  host.pass(3600);
  if (result.outcome === "rollback_failed") {
    assert.notEqual(host.state(BASE)?.pending, null, context);
  } else {
    assertOldOrNew(host, result, context);
  }
  const next = await run(memoryPlan(await memoryPackage("3.0.0"), [host]));
  assert.equal(next.host.outcome, "ok", `${context}, then ${JSON.stringify(next.host.error)}`);
  assert.deepEqual(host.services.running(BASE), ["3.0.0"], context);
  return result.outcome;
}

const FAULTS: ReadonlyArray<[string, Fault, boolean, string[]]> = [
  ["a connection that breaks", "cut", true, ["rolled_back", "unreachable", "ok"]],
  ["a host that is gone", "cut", false, ["unreachable", "ok"]],
  ["an answer that is lost", "lose_answer", true, ["rolled_back", "unreachable", "ok"]],
  ["a command that fails", [1, "disk on fire"], true, ["rolled_back", "failed", "ok"]],
  ["a full disk", [1, "No space left on device"], true, ["rolled_back", "failed", "ok"]],
];

for (const [what, fault, again, outcomes] of FAULTS) {
  Deno.test(`deploy(): ${what}, at every command`, async () => {
    const seen = new Set<string>();
    const { length } = await commandsOf();
    for (let at = 0; at < length; at++) seen.add(await withFault(fault, at, again));
    assert.deepEqual([...seen].sort(), outcomes.sort());
  });
}

Deno.test("deploy(): cancelled at every command", async () => {
  const commands = await commandsOf();
  for (const at of commands.keys()) {
    const host = await hostWithOne();
    const cancel = new AbortController();
    const hosts = faultyTarget(host, (_, count) => {
      if (count === at) cancel.abort(new HarnessError("cancelled", "Cannot go on: cancelled"));
      return undefined;
    });
    const { host: result, result: all } = await run(memoryPlan(TWO, [], { hosts }), {
      signal: cancel.signal,
    });
    const context = `cancelled at ${at} (${commands[at]}): ${JSON.stringify(result)}`;
    const done = commands.indexOf("deploy/commit");
    assert.equal(result.outcome, at <= done ? "cancelled" : "ok", context);
    assert.equal(all.status, at <= done ? "cancelled" : "succeeded", context);
    assertOldOrNew(host, result, context);
  }
});

Deno.test("deploy(): a command that hangs, at every command", async () => {
  const commands = await commandsOf();
  const done = commands.indexOf("deploy/commit");
  // After the commit a host that hangs is only left later.
  await Promise.all(
    [...commands.keys()].slice(0, done + 1).map(async (at) => {
      const host = await hostWithOne();
      const hosts = faultyTarget(host, (_, count) => count >= at ? "hang" : undefined, false);
      const { host: result } = await run(
        memoryPlan(TWO, [], { hosts, beginTimeoutMs: 200, lockTtlMs: 400 }),
      );
      const context = `hangs at ${at} (${commands[at]}): ${JSON.stringify(result.error)}`;
      host.pass(3600);
      assert.equal(result.outcome, "unreachable", context);
      assertOldOrNew(host, result, context);
    }),
  );
});

Deno.test("deploy(): rolls back when the host loses its lock", async () => {
  const host = await hostWithOne();
  const hosts = faultyTarget(host, (name) => {
    // The machine of the deployment slept for an hour.
    if (name === "process/start") host.pass(3600);
    return undefined;
  });
  const { host: result } = await run(memoryPlan(TWO, [], { hosts }));
  assert.deepEqual([result.outcome, result.error?.details?.["reason"]], ["failed", "lost"]);
});

Deno.test("start: a conflict ends the health script tried before it", async () => {
  const host = await hostWithOne();
  const source = await memoryPackage("2.0.0", "health: {script: scripts/health.sh}\n");
  // It is still under way when the conflict is seen, and while the host is put back.
  host.programs.set("?", { health: "hangs" });
  const seen: string[] = [];
  const connect = async (): Promise<Executor> => {
    const inner = await host.connect();
    return {
      host: inner.host,
      async run(command, options) {
        const name = commandName(command);
        // Somebody else's program takes the place in the moment before the start.
        if (name === "process/start" && seen.includes("health/script")) {
          host.services.start("/opt/.harness/web/run/2.0.0", "/somebody/else", "");
        }
        seen.push(name);
        try {
          return await inner.run(command, options);
        } finally {
          if (name === "health/script") seen.push("health/script ended");
        }
      },
      [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
    };
  };
  const { host: result } = await run(memoryPlan(source, [], { hosts: [host.target({ connect })] }));
  assert.equal(result.error?.details?.["reason"], "other_run", JSON.stringify(result.error));
  const begun = seen.indexOf("health/script");
  const started = seen.indexOf("process/start", begun);
  assert.ok(begun !== -1 && started > begun, seen.join());
  assert.equal(seen[started + 1], "health/script ended", seen.join());
});

Deno.test("deploy(): left in its loop, puts the host back first", async () => {
  const host = await hostWithOne();
  for await (const event of deploy(memoryPlan(TWO, [host]))) {
    if (event.step === "start") break;
  }
  assert.deepEqual([host.services.running(BASE), host.leftovers(BASE)], [["1.0.0"], []]);
});

Deno.test("upload: a stream that fails or ends early is a failure", async () => {
  const host = await hostWithOne();
  const broken = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error("disk error")),
  });
  for (const stream of [broken, new Blob(["short"]).stream()]) {
    const source = { ...TWO, open: () => Promise.resolve(stream) };
    const { host: result } = await run(memoryPlan(source, [host]));
    assert.deepEqual([result.outcome, result.step], ["failed", "upload"]);
    assertOldOrNew(host, result, JSON.stringify(result.error));
  }
});

Deno.test("rollback: one that fails leaves the switch recorded", async () => {
  const host = await hostWithOne();
  host.programs.set("2.0.0", { exits: 4, log: ["no database"] });
  // What 2.0.0 left behind keeps 1.0.0 from starting.
  host.programs.set("1.0.0", { exits: 5, log: ["poisoned"] });
  const { events, host: result, result: all } = await run(memoryPlan(TWO, [host]));
  const { details, message = "" } = result.error ?? {};
  assert.deepEqual([result.outcome, all.status], ["rollback_failed", "failed"]);
  assert.deepEqual([result.step, result.versionAfter], ["start", null]);
  assert(ends(events).includes("rollback:failed"));
  assert.equal(details?.["exit_code"], 4);
  assert.match(String(details?.["rollback_error"]), /poisoned/);
  assert.match(message, /rollback failed; web is down on here/);
  assert.match(String(details?.["next"]), /what keeps 1\.0\.0 from .* deploy again: /);
  // What was reported when it failed stays as it was: a replay of that event must be the same.
  const failed = events.find((e) => e.step === "start" && e.status === "failed")?.error;
  assert.match(failed?.message ?? "", /^Cannot start web[^;]*; its last line was: no database$/);
  assert.equal(failed?.details?.["rollback_error"], undefined);
  const bad = host.state(BASE)?.releases.find((r) => r.version === "2.0.0");
  assert.equal(bad?.status, "bad");
  assert.match(bad?.reason ?? "", /^Cannot start web/);
  // The record still has the switch under way: the next deployment begins by undoing it.
  assert.deepEqual(host.leftovers(BASE), ["recover.sh"]);
  host.programs.clear();
  const next = await run(memoryPlan(await memoryPackage("3.0.0"), [host]));
  assert.equal(next.host.outcome, "ok", JSON.stringify(next.host.error));
  assert.equal(next.host.versionBefore, "1.0.0");
  assert.deepEqual(host.leftovers(BASE), []);
});

Deno.test("deploy(): waits for a lock as long as it may", async () => {
  const host = await hostWithOne();
  let released: (() => void) | undefined;
  const hold = new Promise<void>((resolve) => released = resolve);
  const holder = run(memoryPlan(TWO, [host], { admit: () => hold }));
  const source = await memoryPackage("3.0.0");
  const refused = await run(memoryPlan(source, [host]));
  assert.equal(refused.host.error?.details?.["reason"], "locked");
  const { host: result } = await run(memoryPlan(source, [host], { lockWaitMs: 60_000 }), {
    onEvent: (event) => {
      if (event.status === "progress" && event.step === "lock") released?.();
    },
  });
  assert.equal((await holder).host.outcome, "ok");
  assert.equal(result.outcome, "ok", JSON.stringify(result.error));
  assert.equal(result.versionBefore, "2.0.0");
});

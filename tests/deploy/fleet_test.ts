/** Many hosts: how many at once, who goes first, when to stop, and what it comes to. */
import assert from "node:assert/strict";
import { fleetStatus } from "../../src/deploy/fleet_status.ts";
import type { DeployPlan, HostTarget } from "../../src/deploy/plan.ts";
import { MemoryHost } from "../helpers/memory_host/host.ts";
import { BASE, memoryPackage, memoryPlan } from "./memory_bench.ts";
import { run } from "./support.ts";

const ONE = await memoryPackage("1.0.0");

Deno.test("fleetStatus(): folds the outcomes of hosts", () => {
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

/** `count` hosts, h0 to h…, of which those in `dead` cannot be reached. */
function makeHosts(count: number, dead: readonly number[] = []): MemoryHost[] {
  return Array.from({ length: count }, (_, i) => {
    const host = new MemoryHost(`h${i}`);
    host.reachable = !dead.includes(i);
    return host;
  });
}

/** Hosts where the program of 1.0.0 ends at once. */
function makeSick(count: number, sick: readonly number[]): MemoryHost[] {
  const hosts = makeHosts(count);
  for (const i of sick) hosts[i]?.programs.set("1.0.0", { exits: 1 });
  return hosts;
}

/** The hosts as targets, and how many connections were open at once at most. */
function counted(hosts: readonly MemoryHost[]): { targets: HostTarget[]; most: () => number } {
  let open = 0;
  let most = 0;
  const targets = hosts.map((host) =>
    host.target({
      connect: async () => {
        const executor = await host.connect();
        most = Math.max(most, ++open);
        return {
          host: host.name,
          run: (command, options) => executor.run(command, options),
          [Symbol.asyncDispose]: () => (open--, executor[Symbol.asyncDispose]()),
        };
      },
    })
  );
  return { targets, most: () => most };
}

/** Deploys 1.0.0 to all; outcomes in the order of the hosts. */
async function outcomes(
  hosts: readonly MemoryHost[],
  strategy: NonNullable<DeployPlan["strategy"]>,
): Promise<[string[], string]> {
  const { result } = await run(memoryPlan(ONE, hosts, { strategy }));
  return [result.hosts.map((host) => host.outcome), result.status];
}

Deno.test("deploy(): continues when some hosts are unreachable", async () => {
  assert.deepEqual(await outcomes(makeHosts(5, [0, 2]), { parallel: 2 }), [
    ["unreachable", "ok", "unreachable", "ok", "ok"],
    "partial",
  ]);
});

Deno.test("deploy(): onUnreachable skip succeeds on the rest", async () => {
  assert.deepEqual(await outcomes(makeHosts(3, [1]), { onUnreachable: "skip" }), [
    ["ok", "unreachable", "ok"],
    "succeeded",
  ]);
});

Deno.test("deploy(): a canary that is not fine stops the rest", async () => {
  const skipped = ["skipped", "skipped", "skipped"];
  assert.deepEqual(await outcomes(makeHosts(4, [0]), { canary: 1 }), [
    ["unreachable", ...skipped],
    "failed",
  ]);
  // However many failures are allowed.
  assert.deepEqual(await outcomes(makeSick(4, [0]), { canary: 1, maxFailures: 4 }), [
    ["failed", ...skipped],
    "failed",
  ]);
});

Deno.test("deploy(): canaries go first, then all others", async () => {
  const hosts = makeHosts(6);
  const { events } = await run(memoryPlan(ONE, hosts, { strategy: { canary: 2 } }));
  const order = events.filter((e) => e.step === "connect" && e.status === "started");
  const finished = events.findIndex((e) => e.step === "finish" && e.host === "h1");
  assert.deepEqual(order.slice(0, 2).map((e) => e.host), ["h0", "h1"]);
  assert(order.slice(2).every((e) => events.indexOf(e) > finished));
});

Deno.test("deploy(): begins no host once more failed than allowed", async () => {
  assert.deepEqual(await outcomes(makeSick(4, [0, 1, 2, 3]), { parallel: 1 }), [
    ["failed", "skipped", "skipped", "skipped"],
    "failed",
  ]);
  const loose = memoryPlan(ONE, makeSick(4, [0, 1, 2, 3]), {
    strategy: { parallel: 1, maxFailures: 2 },
  });
  const { events, result } = await run(loose);
  assert.deepEqual(result.hosts.map((h) => h.outcome), ["failed", "failed", "failed", "skipped"]);
  const last = events.filter((e) => e.host === "h3");
  assert.deepEqual(last.map((e) => [e.step, e.status, e.outcome]), [
    ["finish", "skipped", "skipped"],
  ]);
});

Deno.test("deploy(): cancelled, other hosts are not started", async () => {
  const hosts = makeHosts(3);
  const cancel = new AbortController();
  const { result } = await run(memoryPlan(ONE, hosts, { strategy: { parallel: 1 } }), {
    signal: cancel.signal,
    onEvent: (event) => {
      if (event.host === "h1" && event.step === "extract") cancel.abort();
    },
  });
  assert.deepEqual(result.hosts.map((h) => h.outcome), ["ok", "cancelled", "cancelled"]);
  assert.equal(result.status, "cancelled");
  assert.deepEqual(hosts[2]?.log, []);
});

Deno.test("deploy(): one machine under two names is refused", async () => {
  const host = new MemoryHost();
  const hosts = [host.target({ label: "a" }), host.target({ label: "b" })];
  const { result } = await run(memoryPlan(ONE, [], { hosts, strategy: { parallel: 1 } }));
  assert.deepEqual(result.hosts.map((h) => h.outcome), ["ok", "failed"]);
  assert.deepEqual(result.hosts[1]?.error?.details?.["reason"], "given_twice");
});

Deno.test("deploy(): 200 hosts, some dead and some sick, then the rest", async () => {
  const hosts = makeHosts(200, [7, 150]);
  for (const i of [3, 42, 199]) hosts[i]?.programs.set("1.0.0", { exits: 9 });
  let opened = 0;
  const source = { ...ONE, open: () => (opened++, ONE.open()) };
  const { targets, most } = counted(hosts);
  const strategy = { parallel: 25, maxFailures: 3 };
  const first = await run(memoryPlan(source, [], { hosts: targets, strategy }));
  const labels = (outcome: string) =>
    first.result.hosts.filter((h) => h.outcome === outcome).map((h) => h.host);
  assert.deepEqual(labels("unreachable"), ["h7", "h150"]);
  assert.deepEqual(labels("failed"), ["h3", "h42", "h199"]);
  assert.deepEqual([labels("ok").length, first.result.status], [195, "partial"]);
  assert.deepEqual([opened, most()], [198, 25]);
  for (const { name } of hosts) {
    const own = first.events.filter((e) => e.host === name);
    assert.equal(own.filter((e) => e.step === "finish").length, 1);
    assert.equal(own.at(-1)?.step, "finish");
    const started = own.filter((e) => e.status === "started").map((e) => e.step);
    assert.equal(new Set(started).size, started.length);
  }
  // Again, with all well: only those are worked on, and the sick ones have the bytes already.
  for (const host of hosts) {
    host.reachable = true;
    host.programs.clear();
  }
  const second = await run(memoryPlan(source, hosts, { strategy }));
  assert.equal(second.result.status, "succeeded");
  assert.deepEqual(
    second.result.hosts.filter((h) => h.changed).map((h) => h.host),
    ["h3", "h7", "h42", "h150", "h199"],
  );
  assert.equal(opened, 200);
  for (const host of hosts) {
    assert.deepEqual(host.services.running(BASE), ["1.0.0"]);
    assert.deepEqual(host.leftovers(BASE), []);
  }
});

import assert from "node:assert/strict";
import { localExecutor } from "../../src/executor/local.ts";
import { deployFleet, fleetStatus } from "../../src/deploy/fleet.ts";
import type { DeployPlan, HostTarget } from "../../src/deploy/plan.ts";
import type { DeployProgress } from "../../src/deploy/progress.ts";
import { HarnessError } from "../../src/errors.ts";
import { needs } from "../helpers/require.ts";
import { type Sshd, startSshd } from "../helpers/sshd.ts";
import { Bench, connectTo, run, until } from "./support.ts";

function sshTarget(bench: Bench, sshd: Sshd, label: string): HostTarget {
  const installRoot = `${bench.dir}/root-${label}`;
  Deno.mkdirSync(installRoot, { recursive: true });
  return {
    label,
    installRoot,
    address: sshd.host,
    connect: connectTo(sshd),
  };
}

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

Deno.test({
  name: "deploy() to 20 sshds on loopback, one dead and one sick, and then only what failed",
  ignore: needs("sshd"),
  async fn() {
    await using bench = new Bench();
    await using stack = new AsyncDisposableStack();
    const labels = Array.from({ length: 20 }, (_, i) => `host-${i}`);
    const servers: Sshd[] = [];
    for (const _ of labels) servers.push(stack.use(await startSshd()));
    const hosts = labels.map((label, i) => {
      const sshd = servers[i];
      assert(sshd !== undefined);
      return sshTarget(bench, sshd, label);
    });
    const dead = servers[7];
    const sick = hosts[3];
    assert(dead !== undefined && sick !== undefined);
    await dead.stopListening();
    const start =
      '#!/bin/sh\n[ ! -e "$HARNESS_DATA_DIR/sick" ] || exit 9\nwhile :; do sleep 0.5; done\n';
    const source = await bench.makePackage({ start });
    Deno.mkdirSync(`${sick.installRoot}/.harness/web/shared`, { recursive: true });
    Deno.writeTextFileSync(`${sick.installRoot}/.harness/web/shared/sick`, "");
    let opened = 0;
    const counted = { ...source, open: () => (opened++, source.open()) };
    const first = await run(bench.plan(counted, { hosts, strategy: { maxFailures: 1 } }));
    const by = (outcome: string) =>
      first.result.hosts.filter((h) => h.outcome === outcome).map((h) => h.host);
    assert.deepEqual(by("unreachable"), ["host-7"]);
    assert.deepEqual(by("failed"), ["host-3"]);
    assert.equal(by("ok").length, 18, JSON.stringify(first.result.hosts.map((h) => h.error)));
    assert.equal(first.result.status, "partial");
    assert.equal(opened, 19);
    // Again, with both well: only those two are worked on.
    await dead.start();
    Deno.removeSync(`${sick.installRoot}/.harness/web/shared/sick`);
    const second = await run(bench.plan(counted, { hosts }));
    assert.equal(second.result.status, "succeeded", JSON.stringify(second.result.hosts));
    assert.deepEqual(
      second.result.hosts.filter((h) => h.changed).map((h) => h.host),
      ["host-3", "host-7"],
    );
    // The sick host had the bytes already.
    assert.equal(opened, 20);
    for (const host of hosts) {
      assert.deepEqual(bench.running("web", host.installRoot), ["1.0.0"]);
      bench.assertClean("web", host.installRoot);
    }
  },
});

Deno.test({
  name:
    "deploy() over a connection that is cut at random offsets of the upload leaves the old version",
  ignore: needs("sshd"),
  async fn() {
    await using bench = new Bench();
    await using sshd = await startSshd();
    const target = sshTarget(bench, sshd, "cut");
    const plan = (source: Parameters<Bench["plan"]>[0]) => bench.plan(source, { hosts: [target] });
    assert.equal((await run(plan(await bench.makePackage()))).host.outcome, "ok");
    const noise = Array.from(crypto.getRandomValues(new Uint8Array(60_000)), (b) => b.toString(36));
    const two = await bench.makePackage({
      version: "2.0.0",
      files: { "bin/noise": noise.join("") },
    });
    for (let round = 0; round < 10; round++) {
      const at = Math.floor(Math.random() * two.size);
      // Once only: a second cut, late on a busy machine, would hit the connection that cleans up.
      let cut: Promise<void> | null = null;
      const cutting = async (): Promise<ReadableStream<Uint8Array>> => {
        const bytes = new Uint8Array(await new Response(await two.open()).arrayBuffer());
        let sent = 0;
        return new ReadableStream({
          async pull(controller) {
            if (sent >= at) await (cut ??= sshd.killConnections());
            const next = bytes.subarray(sent, sent + 4096);
            sent += next.length;
            if (next.length > 0) controller.enqueue(next);
            else controller.close();
          },
        }, { highWaterMark: 0 });
      };
      const { host } = await run(plan({ ...two, open: cutting }));
      await cut;
      const context = `round ${round}, cut at ${at}: ${JSON.stringify(host.error)}`;
      assert(["failed", "unreachable"].includes(host.outcome), `${host.outcome}, ${context}`);
      assert.deepEqual(bench.running("web", target.installRoot), ["1.0.0"], context);
      const { next, rollback_error } = host.error?.details ?? {};
      if (rollback_error !== undefined || String(next).startsWith("nothing:")) {
        // The report says that a second connection did not do it: then the guardian cleans up.
        await until(context, () => bench.leftovers("web", target.installRoot).length === 0);
      } else {
        // It came back over a second connection and cleaned up.
        bench.assertClean("web", target.installRoot);
      }
    }
    const { host } = await run(plan(two));
    assert.equal(host.outcome, "ok", JSON.stringify(host.error));
  },
});

Deno.test({
  name: "deploy() whose connection breaks after the switch goes back over a second one",
  ignore: needs("sshd"),
  async fn() {
    await using bench = new Bench();
    await using sshd = await startSshd();
    const target = sshTarget(bench, sshd, "late");
    const plan = (source: Parameters<Bench["plan"]>[0]) => bench.plan(source, { hosts: [target] });
    assert.equal((await run(plan(await bench.makePackage()))).host.outcome, "ok");
    const two = await bench.makePackage({
      version: "2.0.0",
      yaml: "health: {script: scripts/health.sh, timeout: 30s, retries: 1, start_period: 30s}\n",
      files: { "scripts/health.sh": "#!/bin/sh\nsleep 20\n" },
    });
    let cut: Promise<void> | null = null;
    const { host } = await run(plan(two), {
      onEvent: (event) => {
        if (event.step === "health") cut ??= sshd.killConnections();
      },
    });
    await cut;
    assert.equal(host.outcome, "rolled_back", JSON.stringify(host.error));
    assert.equal(host.error?.code, "unreachable");
    // A health script whose asker is cut off ends by itself, not at once.
    await until(
      "only the old version runs",
      () => bench.running("web", target.installRoot).join() === "1.0.0",
    );
    bench.assertClean("web", target.installRoot);
  },
});

Deno.test({
  name: "a host that cannot be reached any more puts itself back",
  ignore: needs("sshd"),
  async fn() {
    await using bench = new Bench();
    await using sshd = await startSshd();
    const target = sshTarget(bench, sshd, "gone");
    const plan = (source: Parameters<Bench["plan"]>[0]) =>
      bench.plan(source, { hosts: [target], lockTtlMs: 12_000 });
    assert.equal((await run(plan(await bench.makePackage()))).host.outcome, "ok");
    const two = await bench.makePackage({
      version: "2.0.0",
      yaml: "health: {script: scripts/health.sh, timeout: 30s, retries: 1, start_period: 30s}\n",
      files: { "scripts/health.sh": "#!/bin/sh\nsleep 20\n" },
    });
    let cut: Promise<void> | null = null;
    const { result, host } = await run(plan(two), {
      onEvent: (event) => {
        if (event.step === "health") {
          cut ??= sshd.stopListening().then(() => sshd.killConnections());
        }
      },
    });
    await cut;
    assert.equal(host.outcome, "unreachable", JSON.stringify(host.error));
    assert.equal(host.versionAfter, null);
    assert.match(String(host.error?.details?.["next"]), /puts itself back/);
    assert.equal(result.status, "failed");
    await until(
      "the guardian has put the old version back",
      () => bench.leftovers("web", target.installRoot).length === 0,
    );
    // A health script whose asker is cut off ends by itself, not at once.
    await until(
      "only the old version runs",
      () => bench.running("web", target.installRoot).join() === "1.0.0",
    );
    assert.equal(bench.state("web", target.installRoot).active, "1.0.0");
    await sshd.start();
    const { host: again } = await run(plan(await bench.makePackage({ version: "3.0.0" })));
    assert.equal(again.outcome, "ok", JSON.stringify(again.error));
  },
});

import assert from "node:assert/strict";
import type { HostTarget } from "../../src/deploy/plan.ts";
import { needs } from "../helpers/require.ts";
import { type Sshd, startSshd } from "../helpers/sshd.ts";
import { Bench, connectTo, run } from "./support.ts";
import { eventually } from "../helpers/raw_client.ts";

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

Deno.test({
  name: "deploy(): 20 sshds, one dead and one sick, then the rest",
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
  name: "deploy(): an upload cut anywhere leaves the old version",
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
        // The report says that a second connection did not do it: then the watchdog cleans up.
        await eventually(() => bench.leftovers("web", target.installRoot).length === 0, context);
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
  name: "deploy(): rolls back over a second connection",
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
    await eventually(
      () => bench.running("web", target.installRoot).join() === "1.0.0",
      "only the old version runs",
    );
    bench.assertClean("web", target.installRoot);
  },
});

Deno.test({
  name: "watchdog: a host that is cut off restores itself",
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
    assert.match(String(host.error?.details?.["next"]), /restores itself/);
    assert.equal(result.status, "failed");
    await eventually(
      () => bench.leftovers("web", target.installRoot).length === 0,
      "the watchdog has put the old version back",
    );
    // A health script whose asker is cut off ends by itself, not at once.
    await eventually(
      () => bench.running("web", target.installRoot).join() === "1.0.0",
      "only the old version runs",
    );
    assert.equal(bench.state("web", target.installRoot).active, "1.0.0");
    await sshd.start();
    const { host: again } = await run(plan(await bench.makePackage({ version: "3.0.0" })));
    assert.equal(again.outcome, "ok", JSON.stringify(again.error));
  },
});

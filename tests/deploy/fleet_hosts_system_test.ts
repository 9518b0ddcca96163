/**
 * A fleet of 20 machines, each with its own init, sshd and file system: 16 with Debian and systemd, 4 with nothing but
 * BusyBox and dropbear. Without docker, fleet_test.ts does the same with 20 sshds on loopback.
 */
import assert from "node:assert/strict";
import type { HostTarget } from "../../src/deploy/plan.ts";
import type { HostResult } from "../../src/deploy/progress.ts";
import { needs } from "../helpers/require.ts";
import { startHost, type TestHost } from "../hosts/hosts.ts";
import { Bench, run } from "./support.ts";

const HOSTS = 20;
const WITH_BUSYBOX = 4;
/** Hosts that are started at once: more of them keep two cores from answering in time. */
const STARTED_AT_ONCE = 4;
const SICK = 3;
const DEAD = 7;

const START = `#!/bin/sh
[ ! -e "$HARNESS_DATA_DIR/sick" ] || exit 9
while :; do sleep 0.5; done
`;

async function startFleet(stack: AsyncDisposableStack): Promise<TestHost[]> {
  const hosts: TestHost[] = [];
  let next = 0;
  const starter = async () => {
    for (let i = next++; i < HOSTS; i = next++) {
      const kind = i < HOSTS - WITH_BUSYBOX ? "systemd" : "busybox";
      const host = await startHost({ kind });
      stack.defer(() => host[Symbol.asyncDispose]());
      hosts[i] = host;
    }
  };
  // All of them end before the first failure is told: none is started behind the test's back.
  const ended = await Promise.allSettled(Array.from({ length: STARTED_AT_ONCE }, starter));
  for (const one of ended) if (one.status === "rejected") throw one.reason;
  return hosts;
}

function target(host: TestHost, i: number): HostTarget {
  const user = host.users.includes("deploy") ? "deploy" : "root";
  return {
    label: `host-${i}`,
    installRoot: "/opt",
    become: user === "root" ? null : "sudo",
    connect: () => host.connect(user),
  };
}

/** Asserts by a look from inside, without SSH, that the release runs and that nothing else is left. */
async function assertRuns(host: TestHost, result: HostResult): Promise<void> {
  const script = `ls -A /opt/.harness/web | tr '\\n' ' '; readlink /opt/.harness/web/current
tr '\\0' '\\n' < /proc/${result.service?.status.pid}/environ | grep HARNESS_VERSION=`;
  const { stdout } = await host.sh(script);
  const names = "current env envs log output run shared state.json";
  assert.equal(stdout, `${names} /opt/web-1.0.0\nHARNESS_VERSION=1.0.0\n`, result.host);
}

Deno.test({
  name: "deploy(): 20 machines, one dead and one sick",
  ignore: needs("docker", "root", "busybox", "dropbear"),
  async fn() {
    await using bench = new Bench();
    await using stack = new AsyncDisposableStack();
    const machines = await startFleet(stack);
    const [sick, dead] = [machines[SICK], machines[DEAD]];
    assert(sick !== undefined && dead !== undefined);
    await dead.cutPower();
    await sick.sh("mkdir -p /opt/.harness/web/shared; touch /opt/.harness/web/shared/sick");
    const hosts = machines.map(target);
    const source = await bench.makePackage({ start: START });
    let opened = 0;
    const counted = { ...source, open: () => (opened++, source.open()) };

    const first = await run(bench.plan(counted, { hosts, strategy: { maxFailures: 1 } }));
    const by = (outcome: string) =>
      first.result.hosts.filter((h) => h.outcome === outcome).map((h) => h.host);
    assert.deepEqual(by("unreachable"), [`host-${DEAD}`]);
    const errors = JSON.stringify(first.result.hosts.map((h) => h.error));
    assert.deepEqual(by("failed"), [`host-${SICK}`], errors);
    assert.equal(by("ok").length, 18, errors);
    assert.equal(first.result.status, "partial");
    assert.equal(opened, 19);

    await dead.reboot();
    await sick.sh("rm /opt/.harness/web/shared/sick");
    const second = await run(bench.plan(counted, { hosts }));
    assert.equal(second.result.status, "succeeded", JSON.stringify(second.result.hosts));
    assert.deepEqual(
      second.result.hosts.filter((h) => h.changed).map((h) => h.host),
      [`host-${SICK}`, `host-${DEAD}`],
    );
    // The sick host had the bytes already.
    assert.equal(opened, 20);
    await Promise.all(second.result.hosts.map(async (result, i) => {
      const host = machines[i];
      assert(host !== undefined);
      await assertRuns(host, result);
    }));
  },
});

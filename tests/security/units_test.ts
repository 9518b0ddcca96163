/**
 * Units that are not ours, and units of ours that others can get at, on a real systemd over real SSH: CASES A1, A6, A7
 * and B5 for what runs under systemd.
 */
import assert from "node:assert/strict";
import type { HostTarget } from "../../src/deploy/plan.ts";
import type { HostResult } from "../../src/deploy/progress.ts";
import { createController } from "../../src/lifecycle/controller.ts";
import type { ServiceSpec } from "../../src/lifecycle/service_spec.ts";
import type { SystemdController } from "../../src/lifecycle/systemd.ts";
import { Bench, run } from "../deploy/support.ts";
import { startHost, type TestHost } from "../hosts/hosts.ts";
import { needs } from "../helpers/require.ts";

const ignore = needs("docker", "root");

function target(host: TestHost, installRoot = "/opt"): HostTarget {
  return { label: "box", installRoot, become: null, connect: () => host.connect() };
}

async function inside(host: TestHost, script: string): Promise<string> {
  return (await host.sh(script)).stdout.trim();
}

/** Everything that must not change where a unit is left alone. */
async function facts(host: TestHost, unit: string): Promise<string> {
  return await inside(
    host,
    `systemctl is-active ${unit}; systemctl is-enabled ${unit} 2>&1
systemctl show -p InvocationID,MainPID,FragmentPath,DropInPaths,NRestarts ${unit}
find /etc/systemd/system /run/systemd/system /run/systemd/transient -name '${unit}*' | sort |
while read -r file; do ls -ld --time-style=full-iso "$file"; cat "$file" 2>/dev/null; done`,
  );
}

function environ(host: TestHost, unit: string, name: string): Promise<string> {
  return inside(
    host,
    `tr '\\0' '\\n' < /proc/$(systemctl show -p MainPID --value ${unit})/environ | sed -n 's/^${name}=//p'`,
  );
}

function assertRefused(result: HostResult, expected: RegExp): void {
  assert.equal(result.error?.code, "conflict", JSON.stringify(result));
  assert.match(result.error?.message ?? "", expected);
  assert.notEqual(result.outcome, "ok");
}

const FOREIGN =
  "[Service]\\nExecStart=/bin/sleep 100000\\n[Install]\\nWantedBy=multi-user.target\\n";

/** Somebody else's `harness-fo.service`, in every state: how it is made, what a refusal names, how it is taken away. */
const STRANGERS: readonly [string, string, RegExp][] = [
  [
    "active and enabled",
    `printf '${FOREIGN}' > /etc/systemd/system/harness-fo.service; systemctl daemon-reload
systemctl enable -q --now harness-fo`,
    /harness-fo\.service is taken: active, enabled, .*was not made by harness-ws-server/,
  ],
  [
    "stopped and enabled",
    `printf '${FOREIGN}' > /etc/systemd/system/harness-fo.service; systemctl daemon-reload
systemctl enable -q harness-fo`,
    /inactive, enabled, .*was not made by/,
  ],
  ["masked", "systemctl mask -q harness-fo.service", /it is masked .*systemctl unmask/],
  [
    "a link",
    `printf '${FOREIGN}' > /root/x.service; ln -s /root/x.service /etc/systemd/system/harness-fo.service
systemctl daemon-reload`,
    /is a link to \/root\/x\.service/,
  ],
  [
    "an alias",
    `printf '${FOREIGN}' > /etc/systemd/system/other.service; systemctl daemon-reload
ln -s other.service /etc/systemd/system/harness-fo.service; systemctl daemon-reload; systemctl start other`,
    /is a link to other\.service/,
  ],
  [
    "in /run",
    `mkdir -p /run/systemd/system; printf '${FOREIGN}' > /run/systemd/system/harness-fo.service
systemctl daemon-reload; systemctl start harness-fo`,
    /it is the one of \/run\/systemd\/system\/harness-fo\.service/,
  ],
  [
    "of a package of the system",
    `printf '${FOREIGN}' > /usr/lib/systemd/system/harness-fo.service; systemctl daemon-reload`,
    /it is the one of (?:\/usr)?\/lib\/systemd\/system\/harness-fo\.service/,
  ],
  [
    "transient",
    "systemd-run -q --unit=harness-fo sleep 100000",
    /it is the one of \/run\/systemd\/transient\/harness-fo\.service/,
  ],
  [
    "running without its file",
    `printf '${FOREIGN}' > /etc/systemd/system/harness-fo.service; systemctl daemon-reload
systemctl start harness-fo; rm /etc/systemd/system/harness-fo.service; systemctl daemon-reload`,
    /it runs, and its file is gone/,
  ],
  [
    "a directory",
    "mkdir /etc/systemd/system/harness-fo.service; systemctl daemon-reload",
    /is no file/,
  ],
  [
    "a drop-in with another command",
    `mkdir -p /etc/systemd/system/harness-fo.service.d
printf '[Service]\\nExecStart=\\n ExecStart = /bin/sleep 1\\n' > /etc/systemd/system/harness-fo.service.d/x.conf`,
    /its drop-in \/etc\/systemd\/system\/harness-fo\.service\.d\/x\.conf sets ExecStart/,
  ],
  [
    "a drop-in of its prefix with another user",
    `mkdir -p /run/systemd/system/harness-.service.d
printf '[Service]\\nUser=games\\n' > /run/systemd/system/harness-.service.d/u.conf`,
    /its drop-in \/run\/systemd\/system\/harness-\.service\.d\/u\.conf sets User/,
  ],
];

const AWAY = `systemctl stop harness-fo other; systemctl unmask -q harness-fo
systemctl disable -q harness-fo
rm -rf /etc/systemd/system/harness-fo.service* /etc/systemd/system/other.service /root/x.service
rm -rf /run/systemd/system/harness-* /usr/lib/systemd/system/harness-fo.service
systemctl daemon-reload; systemctl reset-failed`;

async function strangers(bench: Bench, host: TestHost): Promise<void> {
  const hosts = [target(host)];
  const source = await bench.makePackage({ name: "fo" });
  for (const [state, make, expected] of STRANGERS) {
    const made = await host.sh(make);
    assert.equal(made.code, 0, `${state}: ${made.stderr}`);
    const before = await facts(host, "harness-fo.service");
    assertRefused((await run(bench.plan(source, { hosts }))).host, expected);
    assert.equal(await facts(host, "harness-fo.service"), before, state);
    assert.equal(await inside(host, "pgrep -f [/]opt/fo-1.0.0/"), "", state);
    await host.sh(AWAY);
  }
  const clean = await run(bench.plan(source, { hosts }));
  assert.equal(clean.host.outcome, "ok", JSON.stringify(clean.host.error));
}

async function twoRoots(bench: Bench, host: TestHost): Promise<void> {
  await host.sh("mkdir -p /srv/A /srv/B");
  const start = "#!/bin/sh\nexec sleep 100000\n";
  const one = await bench.makePackage({ name: "svc", start });
  const two = await bench.makePackage({ name: "svc", version: "2.0.0", start });
  const [inA, inB] = [[target(host, "/srv/A")], [target(host, "/srv/B")]];
  const first = await run(bench.plan(one, { hosts: inA }));
  assert.equal(first.host.outcome, "ok", JSON.stringify(first.host.error));
  const before = await facts(host, "harness-svc.service");
  assertRefused((await run(bench.plan(two, { hosts: inB }))).host, /\/srv\/A\/svc-1\.0\.0/);
  assert.equal(await facts(host, "harness-svc.service"), before, "A is as it was");
  assert.equal(await environ(host, "harness-svc", "HARNESS_INSTALL_DIR"), "/srv/A/svc-1.0.0");

  // Crashed in A, it is still A's; stopped there, it gives way.
  const spec = JSON.parse(
    await inside(host, "cat /srv/A/.harness/svc/state.json"),
  ).releases[0].spec as ServiceSpec;
  await using executor = await host.connect();
  const a = createController(executor, spec, { systemd: true }) as SystemdController;
  await host.sh("systemctl kill -s KILL harness-svc; systemctl stop harness-svc");
  assertRefused((await run(bench.plan(two, { hosts: inB }))).host, /\/srv\/A/);
  await a.stop();
  const taken = await run(bench.plan(two, { hosts: inB }));
  assert.equal(taken.host.outcome, "ok", JSON.stringify(taken.host.error));
  assert.equal(await environ(host, "harness-svc", "HARNESS_INSTALL_DIR"), "/srv/B/svc-2.0.0");
  const after = await facts(host, "harness-svc.service");
  assert.equal((await a.status()).running, false, "what runs is not A's");
  assert.equal((await a.stop()).running, false);
  await assert.rejects(a.start(), { code: "conflict" });
  await assert.rejects(a.reload(), { code: "conflict" });
  const occupant = await a.occupant();
  assert.deepEqual([occupant?.ours, occupant?.running, occupant?.identity?.releaseDir], [
    false,
    true,
    "/srv/B/svc-2.0.0",
  ]);
  assert.equal(await facts(host, "harness-svc.service"), after, "B is as it was");
}

async function handsOn(bench: Bench, host: TestHost): Promise<void> {
  const hosts = [target(host)];
  const of = (version: string) => bench.makePackage({ name: "own", version });
  assert.equal((await run(bench.plan(await of("1.0.0"), { hosts }))).host.outcome, "ok");
  const runId = await environ(host, "harness-own", "HARNESS_RUN");
  assert.match(runId, /^[0-9a-f-]{36}$/);
  // A drop-in of the administrator's is kept, and in force.
  await host.sh(`mkdir -p /etc/systemd/system/harness-own.service.d
printf '[Service]\\nEnvironment=ADMIN=here\\nNice=5\\n' > /etc/systemd/system/harness-own.service.d/a.conf`);
  const second = await run(bench.plan(await of("1.1.0"), { hosts }));
  assert.equal(second.host.outcome, "ok", JSON.stringify(second.host.error));
  assert.equal(await environ(host, "harness-own", "ADMIN"), "here");
  assert.notEqual(await environ(host, "harness-own", "HARNESS_RUN"), runId, "a run has its own id");
  // An edited unit goes on running, and is neither overwritten nor stopped.
  await host.sh(
    "sed -i 's/^Restart=.*/Restart=always/' /etc/systemd/system/harness-own.service; systemctl daemon-reload",
  );
  const before = await facts(host, "harness-own.service");
  assertRefused(
    (await run(bench.plan(await of("1.2.0"), { hosts }))).host,
    /was edited by hand; move your changes to a drop-in/,
  );
  assert.equal(await facts(host, "harness-own.service"), before);
  assert.equal(await environ(host, "harness-own", "HARNESS_VERSION"), "1.1.0");
}

Deno.test({
  name: "units: a stranger's unit of the name is left as it is",
  ignore,
  async fn(t) {
    await using bench = new Bench();
    await using host = await startHost();
    await t.step("A7: in every state", () => strangers(bench, host));
    await t.step("A1: of another install root", () => twoRoots(bench, host));
    await t.step("edited by hand, and with a drop-in", () => handsOn(bench, host));
  },
});

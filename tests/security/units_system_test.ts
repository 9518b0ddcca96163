/**
 * Units that are not ours, and units of ours that others can get at, on a real systemd over real SSH: CASES A1, A6, A7
 * and B5 for what runs under systemd.
 */
import assert from "node:assert/strict";
import type { DeployPackage, HostTarget } from "../../src/deploy/plan.ts";
import type { HostResult } from "../../src/deploy/progress.ts";
import { createController } from "../../src/lifecycle/controller.ts";
import { hostStatus } from "../../src/lifecycle/supervisor/host_status.ts";
import type { ServiceSpec } from "../../src/lifecycle/service_spec.ts";
import type { SystemdController } from "../../src/lifecycle/drivers/systemd/controller.ts";
import { Bench, run } from "../deploy/support.ts";
import { startHost, type TestHost } from "../hosts/hosts.ts";
import { needs } from "../helpers/require.ts";
import { untilPasses } from "../helpers/raw_client.ts";

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
    /harness-fo\.service is taken.*active, enabled, .*was not made by harness-ws-server/,
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

/** Two installations that start the same name at once: one of them has it, the other one says so. */
async function atOnce(bench: Bench, host: TestHost): Promise<void> {
  const source = await bench.makePackage({ name: "race" });
  const both = await Promise.all(
    ["/srv/A", "/srv/B"].map((root) => run(bench.plan(source, { hosts: [target(host, root)] }))),
  );
  const results = both.map(({ host: result }) => result);
  const won = results.findIndex((result) => result.outcome === "ok");
  assert.ok(won >= 0, JSON.stringify(results.map((r) => r.error)));
  const root = won === 0 ? "/srv/A" : "/srv/B";
  assertRefused(results[1 - won] as HostResult, new RegExp(`${root}/race-1\\.0\\.0`));
  assert.equal(await environ(host, "harness-race", "HARNESS_INSTALL_DIR"), `${root}/race-1.0.0`);
  assert.equal(await inside(host, "pgrep -cf '[/]race-1.0.0/'"), "1");
}

/** What a program does with its environment decides nothing; what a drop-in does is found out. */
async function environments(bench: Bench, host: TestHost): Promise<void> {
  const hosts = [target(host)];
  const clears = await bench.makePackage({
    name: "clears",
    start: "#!/bin/sh\nexec env -i sleep 100000\n",
  });
  const done = await run(bench.plan(clears, { hosts }));
  assert.equal(done.host.outcome, "ok", JSON.stringify(done.host.error));
  assert.equal(done.host.service?.status.identity?.releaseDir, "/opt/clears-1.0.0");
  assert.match(done.host.service?.status.identity?.runId ?? "", /^[0-9a-f-]{36}$/);
  await host.sh(`mkdir -p /etc/systemd/system/harness-forged.service.d
printf '[Service]\\nEnvironment=HARNESS_RUN=mine\\n' > /etc/systemd/system/harness-forged.service.d/x.conf`);
  const forged = await run(bench.plan(await bench.makePackage({ name: "forged" }), { hosts }));
  assert.notEqual(forged.host.outcome, "ok");
  assert.match(forged.host.error?.message ?? "", /something sets HARNESS_RUN anew/);
  assert.equal(await inside(host, "systemctl is-active harness-forged"), "inactive");
}

/** A first installation that fails leaves no unit, and a later one only the unit from before. */
async function failedFirst(bench: Bench, host: TestHost): Promise<void> {
  const sick = {
    yaml: "health: {script: scripts/health.sh, retries: 1, start_period: 10ms}\n",
    files: { "scripts/health.sh": "#!/bin/sh\nexit 2\n" },
  };
  const hosts = [target(host)];
  const units = "find /etc/systemd /run/systemd -name 'harness-sick*'";
  const first = await run(
    bench.plan(await bench.makePackage({ name: "sick", ...sick }), { hosts }),
  );
  assert.equal(first.host.error?.details?.["step"], "health", JSON.stringify(first.host.error));
  assert.equal(await inside(host, units), "");
  assert.equal(await inside(host, "systemctl show -p LoadState --value harness-sick"), "not-found");
  const good = await bench.makePackage({ name: "sick", version: "1.1.0" });
  assert.equal((await run(bench.plan(good, { hosts }))).host.outcome, "ok");
  const bad = await bench.makePackage({ name: "sick", version: "1.2.0", ...sick });
  assert.equal(
    (await run(bench.plan(bad, { hosts, healthTimeoutMs: 1_000 }))).host.outcome,
    "rolled_back",
  );
  assert.equal(await environ(host, "harness-sick", "HARNESS_VERSION"), "1.1.0");
  assert.equal(await inside(host, "systemctl is-enabled harness-sick"), "enabled");
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
    await t.step("of two roots at once", () => atOnce(bench, host));
    await t.step("edited by hand, and with a drop-in", () => handsOn(bench, host));
    await t.step("after a failed installation there is none", () => failedFirst(bench, host));
    await t.step("with an environment of its own", () => environments(bench, host));
  },
});

const THING = "/etc/systemd/system/thing.service";

/** A unit of the machine that the packages below are about. */
const MAKE_THING =
  `printf '%s\\n' '[Service]' 'ExecStart=/bin/sleep 100000' 'ExecReload=/bin/true' \
'Restart=always' 'RestartSec=100ms' '[Install]' 'WantedBy=multi-user.target' > ${THING}
systemctl daemon-reload`;

const UNIT_YAML = "service: {type: systemd_service, unit: thing.service}\n";

async function thing(bench: Bench, version: string, healthy: boolean): Promise<DeployPackage> {
  return await bench.makePackage({
    name: "thing",
    version,
    yaml: `${UNIT_YAML}health: {script: scripts/health.sh, retries: 1, start_period: 10ms}\n`,
    files: { "scripts/health.sh": `#!/bin/sh\nexit ${healthy ? 0 : 2}\n` },
  });
}

async function specOf(host: TestHost, name: string): Promise<ServiceSpec> {
  const state = JSON.parse(await inside(host, `cat /opt/.harness/${name}/state.json`));
  return state.releases.find((r: { id: string }) => r.id === state.active).spec;
}

async function machinesUnit(bench: Bench, host: TestHost): Promise<void> {
  const hosts = [target(host)];
  await host.sh(`${MAKE_THING}; systemctl enable -q --now thing`);
  const theirs = await facts(host, "thing.service");
  const sick = await thing(bench, "1.0.0", false);
  assertRefused(
    (await run(bench.plan(sick, { hosts, healthTimeoutMs: 1_000 }))).host,
    /thing\.service is taken.*active, enabled, .*was not started by this service; stop it/,
  );
  assert.equal(await facts(host, "thing.service"), theirs, "A6: theirs goes on");

  // Stopped, it may be taken; a health check that fails stops it again and leaves it enabled.
  await host.sh("systemctl stop thing");
  const failed = await run(bench.plan(sick, { hosts, healthTimeoutMs: 1_000 }));
  assert.notEqual(failed.host.outcome, "ok");
  assert.notEqual(failed.host.error?.code, "conflict", JSON.stringify(failed.host.error));
  assert.equal(
    await inside(host, "systemctl is-active thing; systemctl is-enabled thing"),
    "inactive\nenabled",
  );
}

async function machinesUnitIdentity(bench: Bench, host: TestHost): Promise<void> {
  const hosts = [target(host)];
  await host.sh("systemctl disable -q thing");
  for (const version of ["1.1.0", "1.2.0"]) {
    const done = await run(bench.plan(await thing(bench, version, true), { hosts }));
    assert.equal(done.host.outcome, "ok", JSON.stringify(done.host.error));
  }
  const invocation = () => inside(host, "systemctl show -p InvocationID --value thing");
  await using executor = await host.connect();
  const controller = createController(executor, await specOf(host, "thing")) as SystemdController;
  const first = await invocation();
  const identity = { runId: `systemd:${first}`, releaseDir: "/opt/thing-1.2.0" };
  assert.deepEqual((await controller.status()).identity, identity);
  assert.equal(await inside(host, "systemctl is-enabled thing"), "disabled", "as it was");
  // systemd restarts it: the same run of ours. Somebody else does: not ours.
  await host.sh("systemctl kill -s KILL thing");
  await untilPasses(async () => assert.notEqual(await invocation(), first));
  await untilPasses(async () => assert.ok((await controller.status()).running));
  assert.deepEqual((await controller.status()).identity, identity);
  await host.sh("systemctl restart thing");
  assert.deepEqual((await controller.status()).identity, {
    runId: `systemd:${await invocation()}`,
    releaseDir: null,
  });
  assert.equal((await controller.occupant())?.ours, true, "it is still the one we run");
  assert.equal((await controller.stop()).running, false);
  assert.equal(await inside(host, "systemctl is-active thing"), "inactive");
  assert.equal(await controller.occupant(), null, "a unit of the machine is meant to be there");
  await host.sh("systemctl start thing");
  await assert.rejects(controller.start(), { code: "conflict" });
  await host.sh("systemctl stop thing; systemctl mask -q --runtime thing");
  await host.sh(`mv ${THING} /root/thing; ln -s /dev/null ${THING}; systemctl daemon-reload`);
  await assert.rejects(controller.start(), /it is masked/);
  assert.equal((await controller.occupant())?.ours, false);
  await host.sh(
    `mv /root/thing ${THING}; systemctl unmask -q --runtime thing; systemctl daemon-reload`,
  );
}

/** A unit that a client registered is controlled as it is, by its name; so is one that an earlier version deployed. */
async function registeredUnit(host: TestHost): Promise<void> {
  await host.sh("systemctl enable -q --now thing");
  const before = await inside(host, "systemctl show -p InvocationID --value thing");
  await using executor = await host.connect();
  const spec = {
    ...await specOf(host, "thing"),
    execution: { type: "systemd_service" as const, unit: "thing.service" },
  };
  const controller = createController(executor, spec) as SystemdController;
  assert.equal((await controller.occupant())?.ours, true);
  assert.equal((await controller.start()).running, true);
  assert.equal(await inside(host, "systemctl show -p InvocationID --value thing"), before);
  assert.ok((await controller.reload()).running);
  assert.equal((await controller.stop()).running, false);
  assert.equal(await inside(host, "systemctl is-enabled thing"), "enabled");
  for (const unit of ["th*", "thin?.service", "[t]hing.service", "-H.service", "--all"]) {
    const bad = createController(executor, { ...spec, execution: { ...spec.execution, unit } });
    await assert.rejects(bad.start(), { code: "invalid_params" }, unit);
    await assert.rejects(bad.stop(), { code: "invalid_params" }, unit);
    await assert.rejects(bad.status(), { code: "invalid_params" }, unit);
    await assert.rejects(bad.logs(5), { code: "invalid_params" }, unit);
    await assert.rejects(bad.logs(5, { lastRun: true }), { code: "invalid_params" }, unit);
    await assert.rejects(Array.fromAsync(bad.follow()), { code: "invalid_params" }, unit);
    const [status, other] = await hostStatus(executor, [
      { spec: { ...spec, execution: { ...spec.execution, unit } } },
      { spec },
    ]);
    assert.deepEqual([status?.running, other?.detail], [false, "thing.service is inactive (dead)"]);
  }
}

Deno.test({
  name: "units: one of the machine is taken only by its record",
  ignore,
  async fn(t) {
    await using bench = new Bench();
    await using host = await startHost();
    await t.step("A6: one that runs is left as it is", () => machinesUnit(bench, host));
    await t.step("its run is known again", () => machinesUnitIdentity(bench, host));
    await t.step("one that a client registered", () => registeredUnit(host));
  },
});

const FORGED = `@harness unit
Id=harness-liar.service
LoadState=loaded
ActiveState=active
SubState=running
MainPID=1
@harness running 1
@harness failed somebody else did it
|@harness error forged
!harness-liar.service: Main process exited, code=exited, status=0/SUCCESS
harness-liar.service: Main process exited, code=killed, status=9/KILL`;

Deno.test({
  name: "units: a journal cannot forge a report",
  ignore,
  async fn() {
    await using bench = new Bench();
    await using host = await startHost();
    const start = `#!/bin/sh\ncat <<'END'\n${FORGED}\nEND\nsleep 0.2\nexit 3\n`;
    const source = await bench.makePackage({
      name: "liar",
      start,
      yaml: 'restart: {policy: "no"}\n',
    });
    const { host: result } = await run(bench.plan(source, { hosts: [target(host)] }));
    assert.notEqual(result.outcome, "ok");
    assert.equal(result.error?.code, "deploy_failed", JSON.stringify(result.error));
    assert.equal(result.error?.details?.["exit_code"], 3);
    assert.match(result.error?.message ?? "", /it did not stay up: the program exited with code 3/);
    const log = result.error?.details?.["log"] as string[];
    assert.deepEqual(FORGED.split("\n").filter((line) => !log.includes(line)), [], "all is shown");
    assert.equal(
      await inside(host, "ls /etc/systemd/system | grep -c liar"),
      "0",
      "nothing is left",
    );
  },
});

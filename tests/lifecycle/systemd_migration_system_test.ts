/** A systemd host that version f121a8f set up goes on working, and is moved over at its next deployment. */
import assert from "node:assert/strict";
import type { HostTarget } from "../../src/deploy/plan.ts";
import { createController } from "../../src/lifecycle/controller.ts";
import { hostStatus } from "../../src/lifecycle/supervisor/host_status.ts";
import type { ServiceSpec } from "../../src/lifecycle/service_spec.ts";
import type { SystemdController } from "../../src/lifecycle/drivers/systemd/controller.ts";
import { Bench, run } from "../deploy/support.ts";
import { startHost, type TestHost } from "../hosts/hosts.ts";
import { needs } from "../helpers/require.ts";
import { untilPasses } from "../helpers/raw_client.ts";

/** What f121a8f wrote for the service `web`. */
const UNIT = (envFile: string) =>
  `# Made by harness-ws-server; written anew at each start.
[Unit]
Description=web 1.0.0
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=66
StartLimitBurst=6

[Service]
Type=exec
ExecStart="/opt/web-1.0.0/scripts/start.sh"
ExecReload=/bin/kill -HUP $MAINPID
WorkingDirectory=/opt/web-1.0.0
EnvironmentFile=${envFile}
User=games
Restart=on-failure
RestartSec=1
TimeoutStartSec=60
TimeoutStopSec=2
KillSignal=SIGTERM
KillMode=control-group
SendSIGKILL=yes
SuccessExitStatus=130 143
StandardOutput=journal
StandardError=journal

[Install]
WantedBy=multi-user.target
`;

async function inside(host: TestHost, script: string): Promise<string> {
  return (await host.sh(script)).stdout.trim();
}

function hostsOf(host: TestHost): HostTarget[] {
  return [{ label: "box", installRoot: "/opt", become: null, connect: () => host.connect() }];
}

/** Makes the record of `name` what f121a8f would have left: nothing that is newer. */
async function oldRecord(host: TestHost, name: string): Promise<ServiceSpec> {
  const file = `/opt/.harness/${name}/state.json`;
  const state = JSON.parse(await inside(host, `cat ${file}`));
  for (const release of state.releases) {
    for (const key of ["run", "image_id"]) delete release[key];
    delete release.manifest.service.hardening;
    release.spec.logDir = `/opt/.harness/${name}/log`;
    for (const key of ["hardening", "claim"]) delete release.spec.execution[key];
  }
  await host.sh(`cat > ${file} <<'END'\n${JSON.stringify(state, null, 2)}\nEND
rm -rf /opt/.harness/${name}/run/* /opt/.harness/${name}/output`);
  return state.releases.find((r: { id: string }) => r.id === state.active).spec;
}

/** Runs `web` by the unit that f121a8f wrote. */
async function oldUnit(host: TestHost, envFile: string): Promise<void> {
  await host.sh(`cat > /etc/systemd/system/harness-web.service <<'END'\n${UNIT(envFile)}END
systemctl daemon-reload; systemctl restart harness-web; systemctl enable -q harness-web`);
}

async function controlled(host: TestHost, spec: ServiceSpec): Promise<void> {
  await using executor = await host.connect();
  const controller = createController(executor, spec, { systemd: true }) as SystemdController;
  const identity = { runId: null, releaseDir: "/opt/web-1.0.0" };
  const status = await controller.status();
  assert.ok(status.running, status.detail);
  assert.deepEqual(status.identity, identity);
  assert.deepEqual((await hostStatus(executor, [{ spec, systemd: true }]))[0]?.identity, identity);
  const occupant = await controller.occupant();
  assert.deepEqual([occupant?.ours, occupant?.running, occupant?.identity], [true, true, identity]);
  await untilPasses(async () =>
    assert.ok((await controller.logs(9)).some((line) => line.includes("hello from 1.0.0")))
  );
  assert.equal((await controller.start()).pid, status.pid, "it runs already");
  assert.ok((await controller.stop()).running === false);
  assert.equal(await inside(host, "systemctl is-enabled harness-web"), "disabled");
  const again = await controller.start();
  assert.match(again.identity?.runId ?? "", /^[0-9a-f-]{36}$/);
  assert.equal(
    await inside(
      host,
      "grep -c -e NoNewPriv -e PrivateTmp /etc/systemd/system/harness-web.service",
    ),
    "0",
    "a release runs as it was recorded",
  );
}

async function movedOver(bench: Bench, host: TestHost): Promise<void> {
  const yaml = "service: {user: games}\n";
  const source = await bench.makePackage({ version: "1.1.0", yaml });
  const next = await run(bench.plan(source, { hosts: hostsOf(host) }));
  assert.equal(next.host.outcome, "ok", JSON.stringify(next.host.error));
  assert.equal(next.host.versionBefore, "1.0.0");
  const unit = await inside(host, "cat /etc/systemd/system/harness-web.service");
  assert.match(unit, /^# harness-release: \/opt\/web-1\.1\.0$/m);
  assert.match(unit, /^NoNewPrivileges=yes$/m);
  const back = await run(bench.rollback(undefined, { hosts: hostsOf(host) }));
  assert.equal(back.host.outcome, "ok", JSON.stringify(back.host.error));
  assert.equal(back.host.service?.status.identity?.releaseDir, "/opt/web-1.0.0");
}

async function machinesUnit(bench: Bench, host: TestHost): Promise<void> {
  await host.sh(
    `printf '[Service]\\nExecStart=/bin/sleep 100000\\n' > /etc/systemd/system/box.service
systemctl daemon-reload`,
  );
  const of = (version: string) =>
    bench.makePackage({
      name: "box",
      version,
      yaml: "service: {type: systemd_service, unit: box.service}\n",
    });
  const hosts = hostsOf(host);
  assert.equal((await run(bench.plan(await of("1.0.0"), { hosts }))).host.outcome, "ok");
  const spec = await oldRecord(host, "box");
  await using executor = await host.connect();
  const claiming = {
    ...spec,
    runDir: "/opt/.harness/box/run/1.1.0",
    execution: { type: "systemd_service" as const, unit: "box.service", claim: true },
  };
  const controller = createController(executor, claiming) as SystemdController;
  assert.equal((await controller.occupant())?.ours, true, "the old record has it");
  const next = await run(bench.plan(await of("1.1.0"), { hosts }));
  assert.equal(next.host.outcome, "ok", JSON.stringify(next.host.error));
  assert.equal((await controller.status()).identity?.releaseDir, "/opt/box-1.1.0");
}

Deno.test({
  name: "units: a host of the version before is moved over",
  ignore: needs("docker", "root"),
  async fn(t) {
    await using bench = new Bench();
    await using host = await startHost();
    const hosts = hostsOf(host);
    const source = await bench.makePackage({ yaml: "service: {user: games}\n" });
    const first = await run(bench.plan(source, { hosts }));
    assert.equal(first.host.outcome, "ok", JSON.stringify(first.host.error));
    const spec = await oldRecord(host, "web");
    assert.ok(spec.envFile !== null);
    await oldUnit(host, spec.envFile);
    await t.step("status, logs, stop and restart", () => controlled(host, spec));
    await oldUnit(host, spec.envFile);
    await t.step("its next deployment, and back", () => movedOver(bench, host));
    await t.step("a unit of the machine", () => machinesUnit(bench, host));
  },
});

/**
 * Deployments to machines with their own init, sshd and users: systemd as PID 1, a login user with sudo, reboots.
 */
import assert from "node:assert/strict";
import type { DeployPackage, HostTarget } from "../../src/deploy/plan.ts";
import { needs } from "../helpers/require.ts";
import { startHost, type TestHost } from "../hosts/hosts.ts";
import { Bench, run, START } from "./support.ts";
import { eventually } from "../helpers/raw_client.ts";

const ignore = needs("docker", "root");

function target(host: TestHost, user: string, more: Partial<HostTarget> = {}): HostTarget {
  return {
    label: "box",
    installRoot: "/opt",
    become: user === "root" ? null : "sudo",
    connect: () => host.connect(user),
    ...more,
  };
}

/** What a look from inside says, without SSH. */
async function inside(host: TestHost, script: string): Promise<string> {
  return (await host.sh(script)).stdout.trim();
}

const SHOW =
  "systemctl show -p ActiveState -p WorkingDirectory harness-web.service | sort | cut -d= -f2";

async function assertRuns(host: TestHost, version: string): Promise<void> {
  assert.equal(await inside(host, SHOW), `active\n/opt/web-${version}`);
  assert.equal(await inside(host, "readlink /opt/.harness/web/current"), `/opt/web-${version}`);
  const names = await inside(host, "ls -A /opt/.harness/web");
  assert.equal(names, "current\nenv\nenvs\nlog\noutput\nrun\nshared\nstate.json");
}

async function withBadHealth(bench: Bench, version: string): Promise<DeployPackage> {
  return await bench.makePackage({
    version,
    yaml: "health: {script: scripts/health.sh, timeout: 30s, retries: 1, start_period: 30s}\n",
    files: { "scripts/health.sh": "#!/bin/sh\nsleep 20\nexit 2\n" },
  });
}

Deno.test({
  name: "deploy(): with sudo, a service of its own user and back",
  ignore,
  async fn() {
    await using bench = new Bench();
    await using host = await startHost();
    const hosts = [target(host, "deploy")];
    const yaml = "service: {type: managed_process, user: games}\n" +
      "env: {TOKEN: {secret: true, required: true}}\n";
    const start = `${START.replace("while", 'echo "$TOKEN" > "$HARNESS_DATA_DIR/token"\nwhile')}`;
    const secrets = { TOKEN: 'it\'s "canary" $1 \\ 9d2e' };
    const one = await run(bench.plan(await bench.makePackage({ yaml, start }), { hosts, secrets }));
    assert.equal(one.host.outcome, "ok", JSON.stringify(one.host.error));
    await assertRuns(host, "1.0.0");
    const pid = one.host.service?.status.pid;
    assert.equal(await inside(host, `stat -c %U /proc/${pid}`), "games");
    assert.equal(await inside(host, "stat -c '%U %a' /opt/.harness/web/env"), "root 600");
    assert.equal(await inside(host, "cat /opt/.harness/web/shared/token"), secrets.TOKEN);
    const bad = await bench.makePackage({ version: "1.1.0", start: "#!/bin/sh\nexit 7\n" });
    const two = await run(bench.plan(bad, { hosts, secrets }));
    assert.equal(two.host.outcome, "rolled_back", JSON.stringify(two.host.error));
    assert.equal(two.host.error?.details?.["exit_code"], 7);
    await assertRuns(host, "1.0.0");
    // Their health script looks at nothing; systemd starts the second one again all the time.
    for (const [version, policy] of [["1.1.1", "no"], ["1.1.2", "always"]] as const) {
      const short = await bench.makePackage({
        version,
        start: "#!/bin/sh\nsleep 1\nexit 8\n",
        yaml: `restart: {policy: ${policy}, backoff: 100ms}\nhealth: {script: scripts/health.sh}\n`,
        files: { "scripts/health.sh": "#!/bin/sh\nexit 0\n" },
      });
      const gone = await run(bench.plan(short, { hosts, secrets, timing: { settleMs: 4_000 } }));
      assert.equal(gone.host.outcome, "rolled_back");
      // On a machine that is so busy it may have ended before its start was seen.
      assert.match(gone.host.step ?? "", /^(start|health)$/);
      assert.equal(gone.host.error?.code, "deploy_failed");
      await assertRuns(host, "1.0.0");
    }
    const good = await bench.makePackage({ version: "1.2.0", yaml, start });
    assert.equal((await run(bench.plan(good, { hosts, secrets }))).host.outcome, "ok");
    await assertRuns(host, "1.2.0");
    assert.equal((await run(bench.rollback(undefined, { hosts }))).host.outcome, "ok");
    await assertRuns(host, "1.0.0");
    // A reboot brings it back by itself, and a deployment of the same is nothing to do.
    await host.reboot();
    await eventually(async () => (await inside(host, SHOW)).startsWith("active"), "it runs again");
    const again = await run(
      bench.plan(await bench.makePackage({ yaml, start }), { hosts, secrets }),
    );
    assert.deepEqual([again.host.outcome, again.host.changed], ["ok", false]);
    await assertRuns(host, "1.0.0");
  },
});

Deno.test({
  name: "watchdog: restores a systemd host whose sshd dies",
  ignore,
  async fn() {
    await using bench = new Bench();
    await using host = await startHost();
    const hosts = [target(host, "deploy")];
    const one = await run(bench.plan(await bench.makePackage(), { hosts }));
    assert.equal(one.host.outcome, "ok", JSON.stringify(one.host.error));
    let cut: Promise<unknown> | null = null;
    const { host: two } = await run(
      bench.plan(await withBadHealth(bench, "2.0.0"), { hosts, lockTtlMs: 12_000 }),
      {
        onEvent: (event) => {
          if (event.step !== "health") return;
          cut ??= host.sh("systemctl stop ssh; pkill -KILL sshd");
        },
      },
    );
    await cut;
    assert.equal(two.outcome, "unreachable", JSON.stringify(two.error));
    await eventually(
      async () =>
        await inside(host, "ls -A /opt/.harness/web | grep -c -e lock -e staging") === "0",
      "the watchdog has put the old version back",
    );
    await assertRuns(host, "1.0.0");
  },
});

Deno.test({
  name: "recovery: the next deployment undoes it after a reboot",
  ignore,
  async fn() {
    await using bench = new Bench();
    await using host = await startHost();
    const hosts = [target(host, "root")];
    assert.equal(
      (await run(bench.plan(await bench.makePackage(), { hosts }))).host.outcome,
      "ok",
    );
    let reboot: Promise<void> | null = null;
    const two = await run(bench.plan(await withBadHealth(bench, "2.0.0"), { hosts }), {
      onEvent: (event) => {
        if (event.step === "health") reboot ??= host.reboot();
      },
    });
    await reboot;
    assert.notEqual(two.host.outcome, "ok");
    await eventually(
      async () => (await inside(host, SHOW)).startsWith("active"),
      "it answers again",
    );
    const three = await run(
      bench.plan(await bench.makePackage({ version: "3.0.0" }), { hosts, lockWaitMs: 60_000 }),
    );
    assert.equal(three.host.outcome, "ok", JSON.stringify(three.host.error));
    assert.equal(three.host.versionBefore, "1.0.0");
    await assertRuns(host, "3.0.0");
  },
});

/** A program that hands over to another as main process of its unit when it is told, as nginx does at an upgrade. */
const RELAY = `systemd-notify --ready
until [ -e /run/relay-go ]; do sleep 0.1; done
sleep 100000 &
systemd-notify MAINPID=$! && : > /run/relay-done
`;

Deno.test({
  name: "health: a main process that hands over has not ended",
  ignore,
  async fn() {
    await using bench = new Bench();
    await using host = await startHost();
    const unit = "[Service]\nType=notify\nNotifyAccess=all\nRestart=always\n" +
      "ExecStart=/bin/sh /usr/local/bin/relay\n";
    const write = (path: string, text: string) => host.sh(`cat > ${path} <<'END'\n${text}END\n`);
    await write("/usr/local/bin/relay", RELAY);
    await write("/etc/systemd/system/relay.service", unit);
    await host.sh("systemctl daemon-reload");
    const source = await bench.makePackage({
      name: "relay",
      yaml: "service: {type: systemd_service, unit: relay.service}\n" +
        "health: {script: scripts/health.sh, timeout: 60s}\n",
      files: {
        "scripts/health.sh": "#!/bin/sh\nuntil [ -e /run/relay-done ]; do sleep 0.1; done\n",
      },
    });
    // Between its start and the look that says whether it still runs.
    let told: Promise<string> | null = null;
    const plan = bench.plan(source, { hosts: [target(host, "root")] });
    const { host: result } = await run(plan, {
      onEvent: ({ step, status }) => {
        if (step !== "start" || status !== "done") return;
        told ??= inside(host, "systemctl show --value -p MainPID relay; : > /run/relay-go");
      },
    });
    assert.equal(result.outcome, "ok", JSON.stringify(result.error));
    const [pid, restarts] =
      (await inside(host, "systemctl show -p MainPID -p NRestarts relay | sort | cut -d= -f2"))
        .split("\n");
    assert.notEqual(pid, await told);
    assert.equal(restarts, "0");
  },
});

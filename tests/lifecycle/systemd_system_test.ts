/** On a real systemd, over real SSH. */
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { createController, usesSystemd } from "../../src/lifecycle/controller.ts";
import { formatEnvFile } from "../../src/lifecycle/env_file.ts";
import type { ServiceSpec, SpecExecution } from "../../src/lifecycle/service_spec.ts";
import { Supervisor } from "../../src/lifecycle/supervisor/supervisor.ts";
import type { SupervisorEvent } from "../../src/lifecycle/supervisor/events.ts";
import { startHost, type TestHost } from "../hosts/hosts.ts";
import { needs } from "../helpers/require.ts";
import { Watcher } from "./watcher.ts";
import { untilPasses } from "../helpers/raw_client.ts";

const LOOP = "while :; do sleep 0.2; done";

function spec(
  name: string,
  execution: Partial<SpecExecution>,
  rest: Partial<ServiceSpec> = {},
): ServiceSpec {
  return {
    name,
    version: "1.0.0",
    execution: {
      type: "managed_process",
      argv: ["/bin/sh", "-c", LOOP],
      start: "foreground",
      stopArgv: null,
      reloadArgv: null,
      user: null,
      ...execution,
    } as SpecExecution,
    workDir: "/opt",
    envFile: null,
    runDir: "/opt/run",
    logDir: "/opt/log",
    ports: [],
    health: null,
    restart: { policy: "on-failure", maxRetries: 3, backoffMs: 200 },
    stop: { signal: "TERM", timeoutMs: 2_000 },
    ...rest,
  };
}

async function failure(call: Promise<unknown>): Promise<HarnessError> {
  const error = await call.then(() => assert.fail("it worked"), (error) => error);
  assert.ok(error instanceof HarnessError, String(error));
  return error;
}

async function generatedUnits(host: TestHost, executor: Executor): Promise<void> {
  assert.equal(await usesSystemd(executor), true);
  const values = { WHO: 'it\'s "me" $HOME \\n', LINES: "a\nb" };
  await host.sh(`cat > /opt/env <<'END'\n${formatEnvFile(values)}END\nchmod 600 /opt/env`);
  const script = `printf '%s|%s|%s' "$WHO" "$LINES" "$1" > /tmp/seen; echo up; ${LOOP}`;
  const api = spec("api", {
    argv: ["/bin/sh", "-c", script, "sh", '100% $HOME "q" \\ ;'],
    user: "nobody",
  }, { envFile: "/opt/env" });
  const controller = createController(executor, api);
  const started = await controller.start();
  assert.ok(started.running && started.pid !== null, started.detail);
  await untilPasses(async () => {
    const seen = await host.sh("cat /tmp/systemd-private-*/tmp/seen /tmp/seen 2>/dev/null");
    assert.equal(seen.stdout, `${values.WHO}|${values.LINES}|100% $HOME "q" \\ ;`);
  });
  assert.equal((await host.sh(`stat -c %U /proc/${started.pid}`)).stdout.trim(), "nobody");
  assert.equal((await controller.start()).pid, started.pid);
  // journald takes its time with what a service says.
  await untilPasses(async () => assert.ok((await controller.logs(20)).includes("up")));
  assert.equal(
    (await host.sh("systemctl is-enabled harness-api.service")).stdout.trim(),
    "enabled",
  );
  const stopped = await controller.stop();
  assert.deepEqual([stopped.running, stopped.asked], [false, true]);
  assert.equal(
    (await host.sh("systemctl is-enabled harness-api.service")).stdout.trim(),
    "disabled",
  );
}

async function badUnits(host: TestHost, executor: Executor): Promise<void> {
  // journald comes late to what the program says, as on a busy machine.
  await host.sh("pkill -STOP -x systemd-journal");
  const awake = host.sh("sleep 1; pkill -CONT -x systemd-journal");
  const short = await failure(
    createController(
      executor,
      spec("short", { argv: ["/bin/sh", "-c", "echo no database; exit 3"] }),
    ).start(),
  );
  assert.equal(short.details?.exit_code, 3, short.message);
  assert.ok(
    (short.details?.log as string[]).some((line) => line.includes("no database")),
    JSON.stringify(short.details),
  );
  assert.equal((await awake).code, 0);
  const cases: [Partial<SpecExecution>, RegExp][] = [
    [{ argv: ["/no/such"] }, /program \/no\/such does not exist/],
    [{ user: "ghost" }, /user ghost does not exist/],
    [{ type: "systemd_service", unit: "ghost.service" }, /unit ghost\.service does not exist/],
    [{ type: "systemd_portable", unit: "ghost.service", image: "/no/image" }, /portable/],
  ];
  for (const [execution, expected] of cases) {
    assert.match(
      (await failure(createController(executor, spec("bad", execution)).start())).message,
      expected,
    );
  }
  const left = await executor.run({
    script: "systemctl list-units --all --plain --no-legend 'harness-*' | grep -c running",
  });
  assert.equal(left.stdout.trim(), "0");
}

async function knownUnit(host: TestHost, executor: Executor): Promise<void> {
  await host.sh(
    `printf '[Service]\nExecStart=/bin/sh -c "${LOOP}"\nExecReload=/bin/echo again\n' > /etc/systemd/system/own.service; systemctl daemon-reload`,
  );
  const controller = createController(
    executor,
    spec("own", { type: "systemd_service", unit: "own.service" }),
  );
  const { pid } = await controller.start();
  assert.equal((await controller.reload()).pid, pid);
  await untilPasses(async () =>
    assert.ok((await controller.logs(20)).some((line) => line.includes("again")))
  );
  const since = async (ms: number) => await controller.logs(20, { sinceMs: Date.now() + ms });
  assert.ok((await since(-3_600_000)).some((line) => line.includes("again")));
  assert.deepEqual(await since(3_600_000), []);
  assert.ok((await controller.logs(20, { lastRun: true })).some((line) => line.includes("again")));
  assert.equal((await controller.stop()).running, false);
  await controller.start();
  assert.ok(!(await controller.logs(20, { lastRun: true })).some((line) => line.includes("again")));
  assert.ok((await controller.logs(20)).some((line) => line.includes("again")));
  assert.equal((await controller.stop()).running, false);
  assert.match((await failure(controller.reload())).message, /it does not run/);
}

async function supervised(host: TestHost, connect: () => Promise<Executor>): Promise<void> {
  const events: SupervisorEvent[] = [];
  let executor = await connect();
  await using supervisor = new Supervisor({
    executorFor: () => Promise.resolve(executor),
    onEvent: (event) => void events.push(event),
    remoteIntervalMs: 300,
    watchedIntervalMs: 1_000_000_000,
  });
  const states = (id: string) =>
    events.flatMap((e) => e.type === "state" && e.id === id ? [e.state] : []);
  const loop = spec("loop", {});
  await supervisor.watch({ id: "loop", spec: loop, host: "far" }, { running: false });
  const { pid } = await supervisor.start("loop");
  await host.sh(`kill -9 ${pid}`);
  await untilPasses(() =>
    assert.equal(states("loop").filter((s) => s === "running").length, 2, states("loop").join())
  );
  assert.equal(
    events.filter((e) => e.type === "restart_scheduled").length,
    0,
    "systemd restarts its own",
  );
  const after = await (await supervisor.controller("loop")).status();
  assert.notEqual(after.pid, pid);

  await executor[Symbol.asyncDispose]();
  await supervisor.unwatch("loop");
  await host.reboot();
  executor = await connect();
  await untilPasses(async () =>
    assert.equal(
      (await executor.run({ script: "systemctl is-active harness-loop" })).stdout.trim(),
      "active",
    )
  );
  const adopted = await supervisor.adopt({ id: "loop", spec: loop, host: "far" }, {
    running: true,
    pid: after.pid,
  });
  assert.ok(adopted.running, "it came back with the machine");
  assert.equal(events.at(-1)?.type, "adopted");
  await supervisor.stop("loop");
  await supervisor[Symbol.asyncDispose]();
  await executor[Symbol.asyncDispose]();
}

/** While its services are watched, no poll comes by itself: an ordinary user's watcher is the reason. */
async function watched(host: TestHost, executor: Executor): Promise<void> {
  await host.sh(
    `printf '[Service]\nExecStart=/bin/sleep 9999\n' > /etc/systemd/system/seen.service; systemctl daemon-reload`,
  );
  await using watcher = new Watcher({
    executorFor: () => Promise.resolve(executor),
    remoteIntervalMs: 1_000_000_000,
    watchedIntervalMs: 1_000_000_000,
  });
  const { supervisor } = watcher;
  const seen = spec("seen", { type: "systemd_service", unit: "seen.service" });
  const place = { id: "seen", spec: seen, host: "far" };
  assert.equal((await supervisor.adopt(place, { running: false })).running, false);
  for (const run of [1, 2]) {
    await host.sh("systemctl start seen");
    await untilPasses(() => assert.equal(watcher.states("seen").at(-1), "running"));
    await host.sh(run === 1 ? "systemctl kill -s KILL seen" : "systemctl stop seen");
    const end = run === 1 ? "failed" : "stopped";
    await untilPasses(() => assert.equal(watcher.states("seen").at(-1), end));
  }
}

Deno.test({
  name: "SystemdController: run, refuse, reload, stop, reboot",
  ignore: needs("docker", "root"),
  async fn(t) {
    await using host = await startHost();
    {
      await using executor = await host.connect();
      await t.step("a managed process as a unit of ours", () => generatedUnits(host, executor));
      await t.step("what cannot start says why", () => badUnits(host, executor));
      await t.step("a unit that was there", () => knownUnit(host, executor));
    }
    await t.step(
      "under supervision, and after a reboot",
      () => supervised(host, () => host.connect()),
    );
    {
      await using deploy = await host.connect("deploy");
      await t.step("without root there is no systemd to use", async () => {
        assert.equal(await usesSystemd(deploy), false);
        const own = spec("own", {}, {
          workDir: "/tmp",
          runDir: "/tmp/own/run",
          logDir: "/tmp/own/log",
        });
        const controller = createController(deploy, own);
        assert.ok((await controller.start()).running);
        assert.equal((await controller.stop()).running, false);
      });
      await t.step("without root, units are watched", () => watched(host, deploy));
    }
  },
});

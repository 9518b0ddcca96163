/**
 * What a docker daemon does to the services that run in it (cases A10, A11): it is restarted, and it hangs. On a daemon
 * of the test's own.
 */
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { DockerController } from "../../src/lifecycle/drivers/docker/controller.ts";
import type { DockerSpec } from "../../src/lifecycle/drivers/docker/commands.ts";
import { hostStatus } from "../../src/lifecycle/supervisor/host_status.ts";
import { Supervisor } from "../../src/lifecycle/supervisor/supervisor.ts";
import type { RestartSpec } from "../../src/package/manifest/manifest.ts";
import { Registry } from "../../src/registry/registry.ts";
import { advanceTo } from "../../src/server/services/entry_state.ts";
import { recordSupervisorEvent } from "../../src/server/services/event_recorder.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { makeImage, removeAll } from "../helpers/containers.ts";
import { DockerHost } from "../helpers/docker_host.ts";
import { Dockerd } from "../helpers/dockerd.ts";
import { needs } from "../helpers/require.ts";
import { service } from "../helpers/test_server.ts";
import { run } from "../hosts/docker.ts";
import { kill, Place } from "../lifecycle/fixture.ts";
import { untilPasses } from "../helpers/raw_client.ts";

const ignore = needs("docker", "busybox", "root");
const STAY = 'trap "exit 0" TERM; while :; do sleep 0.1; done';

function spec(place: Place, name: string, restart: Partial<RestartSpec>): DockerSpec {
  return {
    ...place.spec(name, ["unused"], { restart }),
    execution: { type: "docker_container", image: "stay:1", imageTar: null, container: name },
    workDir: `${place.path("opt")}/${name}-1.0.0`,
    runDir: `${place.path("opt")}/.harness/${name}/run/1`,
  };
}

Deno.test({
  name: "A10: services come back with docker as their policies say",
  ignore,
  async fn() {
    await using place = new Place();
    await using daemon = await Dockerd.start();
    await using executor = daemon.executor();
    await daemon.image("stay:1", STAY);
    // They end when they are told: a start takes as long as the machine is busy, and what ends in it has not started.
    const until = (code: number) => `trap "exit ${code}" USR1; while :; do sleep 0.1; done`;
    await daemon.image("once:1", until(0));
    await daemon.image("fails:1", until(7));
    const controller = (name: string, restart: Partial<RestartSpec>, image = "stay:1") => {
      const made = spec(place, name, restart);
      return new DockerController(executor, { ...made, execution: { ...made.execution, image } });
    };
    const failing: Partial<RestartSpec> = { policy: "on-failure", maxRetries: 2 };
    const stays = controller("stays", { policy: "on-failure" });
    const always = controller("always", { policy: "always" });
    const never = controller("never", { policy: "no" });
    const stopped = controller("stopped", { policy: "on-failure" });
    const once = controller("once", { policy: "on-failure" }, "once:1");
    const fails = controller("fails", failing, "fails:1");
    for (const each of [stays, always, never, stopped, once, fails]) await each.start();
    await stopped.stop();
    // A container that did not end by itself when it was stopped has an exit code that is not 0.
    await daemon.docker("kill", "never");
    const tell = (name: string) =>
      run("docker", ["-H", daemon.address, "kill", "-s", "USR1", name]);
    await untilPasses(async () => {
      // Again and again: docker starts one anew, and a script that has just begun takes no signal yet.
      await Promise.all([tell("once"), tell("fails")]);
      assert.equal((await once.status()).exitCode, 0);
      const { running, exitCode, detail } = await fails.status();
      assert.deepEqual([running, exitCode], [false, 7], detail);
      assert.equal(
        await daemon.docker("inspect", "-f", "{{.State.Status}} {{.RestartCount}}", "fails"),
        "exited 2",
      );
    });
    const before = (await stays.status()).containerId;
    // The guards of the others have seen their ends before docker is restarted.
    await onlyStaysIsGuarded(place);
    await daemon.down();
    await daemon.up();
    await untilPasses(async () => {
      for (const [name, each] of Object.entries({ stays, always })) {
        const { running, detail } = await each.status();
        assert.ok(running, `${name}: ${detail}; guards: ${[...guards(place)].join(" ")}`);
      }
    });
    assert.equal((await stays.status()).containerId, before);
    for (const each of [never, stopped, once]) assert.equal((await each.status()).running, false);
    // And once more, since nobody but the guard has started it.
    await daemon.down();
    await daemon.up();
    await untilPasses(async () => assert.ok((await stays.status()).running));
    await stays.stop();
    assert.equal((await stays.status()).running, false);
    await untilPasses(() => assert.deepEqual([...guards(place)], []));
  },
});

Deno.test({
  name: "A10: a restart of docker behind its socket is noticed",
  ignore: ignore || needs("python3"),
  async fn() {
    await using place = new Place();
    await using daemon = await Dockerd.start({ behindSocket: true });
    await using executor = daemon.executor();
    await daemon.image("stay:1", STAY);
    const restart = { policy: "on-failure" } as const;
    const stays = new DockerController(executor, spec(place, "stays", restart));
    const once = new DockerController(executor, spec(place, "once", restart));
    for (const each of [stays, once]) await each.start();
    // By itself, and well: that is not undone. Its guard has seen that before docker is restarted.
    await daemon.docker("exec", "once", "kill", "-TERM", "1");
    await onlyStaysIsGuarded(place);
    const started = () => daemon.docker("inspect", "-f", "{{.State.StartedAt}}", "stays");
    for (let round = 0; round < 2; round++) {
      const before = await started();
      daemon.restart();
      await untilPasses(async () => {
        assert.notEqual(await started(), before);
        assert.ok((await stays.status()).running);
      });
    }
    assert.deepEqual((await once.status()).exitCode, 0);
    assert.equal((await once.status()).running, false);
    await stays.stop();
  },
});

Deno.test({
  name: "A10: an end on a busy docker is not undone",
  ignore,
  async fn() {
    await using place = new Place();
    await using daemon = await Dockerd.start();
    await using executor = daemon.executor();
    await daemon.image("stay:1", STAY);
    const restart = { policy: "on-failure" } as const;
    const stays = new DockerController(executor, spec(place, "stays", restart));
    const once = new DockerController(executor, spec(place, "once", restart));
    await daemon.docker("create", "--name", "other", "stay:1");
    for (const each of [stays, once]) await each.start();
    const ids = await daemon.docker("ps", "-q", "--no-trunc");
    const started = () => daemon.docker("inspect", "-f", "{{.State.StartedAt}}", "stays", "once");
    const before = await started();
    await Promise.all([
      daemon.docker("stop", "stays"),
      daemon.docker("exec", "once", "kill", "-TERM", "1"),
    ]);
    // Docker remembers the last 256 events, of all containers.
    const events = () => daemon.docker("update", "--restart", "no", ...Array(300).fill("other"));
    await untilPasses(async () => {
      await events();
      assert.deepEqual([...guards(place)], []);
    });
    assert.equal(await started(), before);
    for (const each of [stays, once]) assert.equal((await each.status()).running, false);
    // Nothing of a guard is left that asks docker of its container.
    await untilPasses(() => assert.deepEqual(clients(ids.split("\n")), []));
  },
});

/** Command lines of docker's clients that name one of the containers. */
function clients(ids: string[]): string[] {
  const found: string[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const line = Deno.readTextFileSync(`/proc/${name}/cmdline`).replaceAll("\0", " ");
      if (line.startsWith("docker ") && ids.some((id) => line.includes(id))) found.push(line);
    } catch {
      // It has ended.
    }
  }
  return found;
}

/** Waits until the other guards have ended. */
function onlyStaysIsGuarded(place: Place): Promise<void> {
  return untilPasses(() => {
    const left = [...guards(place)];
    assert.ok(left.length > 0 && left.every((mark) => mark.startsWith("stays/")), left.join());
  });
}

/** Marks of guards that live. */
function* guards(place: Place): Generator<string> {
  for (const name of ["stays", "stopped", "once", "fails", "always", "never"]) {
    try {
      for (const entry of Deno.readDirSync(`${place.path("opt")}/.harness/${name}/run/1`)) {
        yield `${name}/${entry.name}`;
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

Deno.test({
  name: "A11: a docker that hangs is given up at its limit",
  ignore,
  async fn() {
    await using place = new Place();
    await using daemon = await Dockerd.start();
    await using executor = daemon.executor();
    await daemon.image("stay:1", STAY);
    const made = spec(place, "held", { policy: "no" });
    const controller = new DockerController(executor, made);
    await controller.start();
    daemon.hold();
    const words = /Docker did not respond within 8 s/;
    const reasons: string[] = [];
    const [status, ...failures] = await Promise.all([
      hostStatus(executor, [{ spec: made }], { onUnknown: (_, reason) => reasons.push(reason) }),
      ...[
        controller.status(),
        controller.start(),
        controller.stop(),
        controller.reload(),
        controller.logs(1),
        controller.occupant(),
      ].map((call) => call.then(() => null, (error) => error)),
    ]);
    assert.deepEqual(status, [null], "nothing is known of it");
    assert.match(reasons.join(), words);
    for (const error of failures) {
      assert.ok(error instanceof HarnessError, String(error));
      assert.match(error.message, words);
    }
    daemon.release();
    assert.equal((await controller.status()).running, true);
    await controller.stop();
  },
});

Deno.test({
  name: "A11: while docker hangs nobody is told that it runs",
  ignore,
  async fn() {
    await using place = new Place();
    await using daemon = await Dockerd.start();
    await using executor = daemon.executor();
    await daemon.image("stay:1", STAY);
    await using registry = await Registry.open(new MemoryStore());
    const made = spec(place, "held", { policy: "no" });
    const other = place.shell("other", "while :; do sleep 0.2; done");
    for (const name of ["held", "other"]) {
      await registry.register(service(name));
      await advanceTo(registry, name, "running", "started");
    }
    await using supervisor = new Supervisor({
      executorFor: () => Promise.resolve(executor),
      onEvent: (event) => recordSupervisorEvent(registry, event),
      localIntervalMs: 300,
    });
    await supervisor.watch({ id: "held", spec: made, host: "local" }, { running: false });
    await supervisor.watch({ id: "other", spec: other, host: "local", systemd: false }, {
      running: false,
    });
    await supervisor.start("held");
    const { pid } = await supervisor.start("other");
    await untilPasses(() => assert.equal(registry.get("other").state, "running"));
    daemon.hold();
    // Longer than any of its looks may take: it is seen in spite of docker.
    kill(pid);
    await untilPasses(() => assert.equal(registry.get("other").state, "failed"));
    await untilPasses(() => {
      const { state_reason, last_health_check } = registry.get("held");
      assert.match(
        state_reason ?? "",
        /not known whether it runs: Docker did not respond within 8 s/,
      );
      assert.equal(last_health_check?.healthy, false);
      assert.match(last_health_check?.message ?? "", /docker does not answer: Docker did not/);
    });
    daemon.release();
    await untilPasses(() => {
      const { state, state_reason, last_health_check } = registry.get("held");
      assert.deepEqual([state, state_reason, last_health_check?.healthy], [
        "running",
        "docker answers again",
        true,
      ]);
    });
    await supervisor.stop("held");
    assert.equal(registry.get("held").state, "stopped");
  },
});

Deno.test({
  name: "A10: services come back after a reboot as their policies say",
  ignore,
  async fn() {
    await using place = new Place();
    await using host = await DockerHost.start();
    await using executor = host.executor();
    const tag = `stay-${crypto.randomUUID().slice(0, 8)}:1`;
    await makeImage(tag, STAY);
    try {
      const load =
        'docker save "$1" | docker exec -i "$2" docker load -q && docker exec "$2" docker tag "$1" stay:1';
      const { code, stderr } = await run("sh", ["-c", load, "sh", tag, host.name]);
      assert.equal(code, 0, stderr);
    } finally {
      await removeAll([], [tag]);
    }
    const controller = (name: string, restart: Partial<RestartSpec>) => {
      const made = spec(place, name, restart);
      const runDir = `/opt/.harness/${name}/run/1`;
      return new DockerController(executor, { ...made, workDir: `/opt/${name}-1.0.0`, runDir });
    };
    const stays = controller("stays", { policy: "on-failure" });
    const always = controller("always", { policy: "always" });
    const never = controller("never", { policy: "no" });
    const stopped = controller("stopped", { policy: "on-failure" });
    const ended = controller("ended", { policy: "on-failure" });
    for (const each of [stays, always, never, stopped, ended]) await each.start();
    const units = () => host.sh("cd /etc/systemd/system && ls | grep ^harness- || :");
    const both = "harness-ended-container.service\nharness-stays-container.service";
    await stopped.stop();
    assert.equal(await units(), both);
    assert.equal(await host.sh("systemctl is-active harness-stays-container"), "active");
    const security = await host.sh(
      "systemd-analyze security --no-pager harness-stays-container | tail -n 1",
    );
    assert.match(security, /level for \S+: [0-3]\.\d OK/);
    // It ends by itself, and well: that is not undone.
    await host.sh("docker exec ended kill -TERM 1");
    await untilPasses(async () =>
      assert.equal(await host.sh("systemctl is-active harness-ended-container || :"), "inactive")
    );
    await host.reboot();
    await untilPasses(async () => {
      for (const each of [stays, always]) {
        const { running, detail } = await each.status();
        assert.ok(running, detail);
      }
    });
    for (const each of [never, stopped, ended]) {
      assert.equal((await each.status()).running, false);
    }
    // By hand on the machine, as people do.
    await host.sh("systemctl restart docker");
    await untilPasses(async () => assert.ok((await stays.status()).running));
    await stays.stop();
    assert.equal(await units(), "harness-ended-container.service");
    assert.equal(await host.sh("ls /opt/.harness/stays/run/1"), "");
    await ended.stop();
    assert.equal(await units(), "");
  },
});

/** On a real Docker daemon, with an image made from BusyBox alone. */
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { createController } from "../../src/lifecycle/controller.ts";
import { formatEnvFile } from "../../src/lifecycle/env_file.ts";
import { hostStatus } from "../../src/lifecycle/supervisor/host_status.ts";
import type { ServiceSpec } from "../../src/lifecycle/service_spec.ts";
import { needs } from "../helpers/require.ts";
import { kill, Place } from "./fixture.ts";
import { Watcher } from "./watcher.ts";
import { untilPasses } from "../helpers/raw_client.ts";

/** A name that no other test run on this machine has. */
const TAG = `harness-lifecycle-test-${crypto.randomUUID().slice(0, 8)}`;

async function sh(executor: Executor, script: string, ...args: string[]): Promise<string> {
  const result = await executor.run({ script, args });
  assert.equal(result.exitCode, 0, result.stderr);
  return result.stdout.trim();
}

/** Builds an image whose main process runs \`script\`, without any network. */
async function buildImage(
  executor: Executor,
  place: Place,
  tag: string,
  script: string,
): Promise<void> {
  const root = place.path(`root-${tag.replace(":", "-")}`);
  await sh(
    executor,
    `mkdir -p "$1/bin" && cp "$(command -v busybox)" "$1/bin/busybox" && for a in sh sleep echo printenv trap; do ln -sf busybox "$1/bin/$a"; done
     printf '%s\\n' "$3" > "$1/main.sh"
     tar -C "$1" -c . | docker import -c 'CMD ["/bin/sh", "/main.sh"]' - "$2"`,
    root,
    tag,
    script,
  );
}

function spec(place: Place, image: string, change: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    ...place.spec("web", ["unused"]),
    execution: { type: "docker_container", image, imageTar: null, container: TAG },
    stop: { signal: "TERM", timeoutMs: 10_000 },
    ...change,
  };
}

async function failure(call: Promise<unknown>): Promise<HarnessError> {
  const error = await call.then(() => assert.fail("it worked"), (error) => error);
  assert.ok(error instanceof HarnessError, String(error));
  return error;
}

Deno.test({
  name: "DockerController: runs, replaces and stops, never pulls",
  ignore: needs("docker", "busybox"),
  async fn(t) {
    await using place = new Place();
    await using executor = localExecutor();
    const good = `${TAG}:good`;
    const bad = `${TAG}:bad`;
    try {
      await buildImage(
        executor,
        place,
        good,
        'trap "exit 0" TERM; echo "token $TOKEN"; while :; do sleep 0.1; done',
      );
      await buildImage(executor, place, bad, "echo cannot find config; exit 3");
      await t.step("start, status, logs, env from file, stop", async () => {
        await Deno.writeTextFile(place.path("env"), formatEnvFile({ TOKEN: "it's secret" }));
        const controller = createController(
          executor,
          spec(place, good, { envFile: place.path("env") }),
        );
        assert.equal((await controller.status()).running, false);
        const started = await controller.start();
        assert.ok(started.running && started.pid !== null && started.containerId !== null);
        assert.equal((await controller.start()).containerId, started.containerId);
        await untilPasses(async () =>
          assert.deepEqual(await controller.logs(5), ["token it's secret"])
        );
        const since = (ms: number) => controller.logs(5, { sinceMs: Date.now() + ms });
        assert.deepEqual(await since(-3_600_000), ["token it's secret"]);
        assert.deepEqual(await since(3_600_000), []);
        assert.equal((await controller.status()).pid, started.pid);
        const [status] = await hostStatus(executor, [{ spec: spec(place, good) }]);
        assert.deepEqual([status?.running, status?.restarts], [true, 0]);
        const stopped = await controller.stop();
        assert.deepEqual([stopped.running, stopped.exitCode], [false, 0]);
        assert.equal((await controller.stop()).running, false);
      });
      await t.step("the same container again, another one when something differs", async () => {
        const same = spec(place, good, { envFile: place.path("env") });
        const first = await createController(executor, same).start();
        await createController(executor, same).stop();
        const second = await createController(executor, same).start();
        assert.equal(second.containerId, first.containerId);
        await createController(executor, same).stop();
        await Deno.writeTextFile(place.path("env"), formatEnvFile({ TOKEN: "new" }));
        const third = await createController(executor, same).start();
        assert.notEqual(third.containerId, first.containerId);
        await untilPasses(async () =>
          assert.deepEqual(await createController(executor, same).logs(1), ["token new"])
        );
        await createController(executor, same).stop();
      });
      await t.step("a container that exits at once is a failed start", async () => {
        const error = await failure(createController(executor, spec(place, bad)).start());
        assert.equal(error.details?.exit_code, 3, error.message);
        assert.ok((error.details?.log as string[]).includes("cannot find config"));
        assert.equal((await createController(executor, spec(place, bad)).status()).running, false);
      });
      await t.step("an image that is not here is not pulled", async () => {
        const error = await failure(
          createController(executor, spec(place, `${TAG}:absent`)).start(),
        );
        assert.match(error.message, /is not on this machine, and images are never pulled/);
      });
      await t.step("a daemon that does not answer is named, by logs too", async () => {
        const env = { DOCKER_HOST: `unix://${place.path("no.sock")}` };
        await using local = localExecutor();
        const away: Executor = {
          host: local.host,
          run: (command, options) => local.run(command, { ...options, env }),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        };
        const controller = createController(away, spec(place, good));
        const refused = /Cannot connect to the Docker daemon at unix:.*no\.sock/;
        assert.match((await failure(controller.start())).message, refused);
        assert.match((await failure(controller.logs(5))).message, refused);
      });
      await t.step("an image from a file of the package", async () => {
        await sh(
          executor,
          'docker save -o "$1" "$2" && docker rm -f "$3" >/dev/null && docker rmi "$2"',
          place.path("image.tar"),
          good,
          TAG,
        );
        const execution = {
          type: "docker_container",
          image: good,
          imageTar: place.path("image.tar"),
          container: TAG,
        } as const;
        const controller = createController(executor, spec(place, good, { execution }));
        assert.ok((await controller.start()).running);
      });
      await t.step("its restarts are docker's own", async () => {
        const always = spec(place, good, {
          restart: { policy: "always", maxRetries: 3, backoffMs: 100 },
        });
        await createController(executor, always).stop();
        const started = await createController(executor, always).start();
        kill(started.pid);
        await untilPasses(async () => {
          const [status] = await hostStatus(executor, [{ spec: always }]);
          assert.deepEqual([status?.running, status?.restarts], [true, 1]);
        });
        await createController(executor, always).stop();
      });
      await t.step("an end is noticed by the watcher, without a poll", async () => {
        await using watcher = new Watcher({
          // A container that docker is about to start again has no process to watch.
          localIntervalMs: 300,
          watchedIntervalMs: 1_000_000_000,
        });
        const { supervisor } = watcher;
        const always = spec(place, good, {
          restart: { policy: "always", maxRetries: 3, backoffMs: 100 },
        });
        await supervisor.watch({ id: "web", spec: always, host: "local" }, { running: false });
        kill((await supervisor.start("web")).pid);
        await untilPasses(() =>
          assert.deepEqual(watcher.states("web").slice(2), ["failed", "starting", "running"])
        );
        await supervisor.stop("web");
      });
    } finally {
      await executor.run({
        script: 'docker rm -f "$1"; docker rmi -f "$1:good" "$1:bad"',
        args: [TAG],
      });
    }
  },
});

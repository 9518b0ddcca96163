/**
 * Containers (cases A5 to A8, B3): whose they are is told by their labels, what runs is what was started, and nothing
 * of a package comes near the docker client. On the real docker, with images made here.
 */
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { DockerController } from "../../src/lifecycle/drivers/docker/controller.ts";
import type { DockerSpec } from "../../src/lifecycle/drivers/docker/commands.ts";
import { formatEnvFile } from "../../src/lifecycle/env_file.ts";
import { hostStatus } from "../../src/lifecycle/supervisor/host_status.ts";
import { docker, inspect, makeImage, removeAll } from "../helpers/containers.ts";
import { needs } from "../helpers/require.ts";
import { kill, Place } from "../lifecycle/fixture.ts";
import { untilPasses } from "../helpers/raw_client.ts";

const ignore = needs("docker", "busybox");
const STAY = 'trap "exit 0" TERM; while :; do sleep 0.1; done';

/** A service of one test: an install root, an image, and names that no other test has. */
class Bench implements AsyncDisposable {
  readonly name = `harness-safe-${crypto.randomUUID().slice(0, 8)}`;
  readonly place = new Place();
  readonly executor = localExecutor();
  readonly #images = new Set<string>();
  readonly #containers = new Set<string>([this.name]);

  /** Makes an image of this test. */
  async image(version: string, script = STAY): Promise<string> {
    const tag = `${this.name}:${version}`;
    await makeImage(tag, script);
    this.#images.add(tag);
    return tag;
  }

  /** Removes a container at the end, too. */
  also(container: string): string {
    this.#containers.add(container);
    return container;
  }

  spec(change: Partial<DockerSpec> & { root?: string; image?: string } = {}): DockerSpec {
    const { root = this.place.path("opt"), image = `${this.name}:1`, ...rest } = change;
    return {
      ...this.place.spec(this.name, ["unused"]),
      execution: {
        type: "docker_container",
        image,
        imageTar: null,
        container: this.name,
      },
      workDir: `${root}/${this.name}-1.0.0`,
      runDir: `${root}/.harness/${this.name}/run/${this.name}-1.0.0`,
      stop: { signal: "TERM", timeoutMs: 5000 },
      ...rest,
    };
  }

  controller(spec: DockerSpec = this.spec(), executor: Executor = this.executor): DockerController {
    return new DockerController(executor, spec);
  }

  /** The environment file of the service with these variables. */
  async env(variables: Record<string, string>): Promise<string> {
    const file = this.place.path("env");
    await Deno.writeTextFile(file, formatEnvFile(variables), { mode: 0o600 });
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeAll([...this.#containers], [...this.#images]);
    await this.executor[Symbol.asyncDispose]();
    await this.place[Symbol.asyncDispose]();
  }
}

async function failure(call: Promise<unknown>): Promise<HarnessError> {
  const error = await call.then(() => assert.fail("it worked"), (error) => error);
  assert.ok(error instanceof HarnessError, String(error));
  return error;
}

/** The variables of a container's main process. */
async function environ(container: string): Promise<Map<string, string>> {
  const pid = await inspect(container, "{{.State.Pid}}");
  const text = await Deno.readTextFile(`/proc/${pid}/environ`);
  return new Map(
    text.split("\0").filter((entry) => entry !== "").map((entry) => {
      const at = entry.indexOf("=");
      return [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}

/** An executor whose `docker` first writes down its environment and arguments. */
function watched(bench: Bench): { executor: Executor; seen: () => string } {
  const dir = bench.place.path("bin");
  Deno.mkdirSync(dir);
  bench.place.script(
    "bin/docker",
    `#!/bin/sh
{ tr '\\0' '\\n' < /proc/$$/environ; printf '%s\\n' "$@"; } >> '${dir}/seen'
PATH=\${PATH#*:}
exec docker "$@"
`,
  );
  const executor: Executor = {
    host: bench.executor.host,
    run: (command, options = {}) =>
      bench.executor.run(command, {
        ...options,
        env: { ...options.env, PATH: `${dir}:${Deno.env.get("PATH")}` },
      }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { executor, seen: () => Deno.readTextFileSync(`${dir}/seen`) };
}

Deno.test({
  name: "B3: a container's variables go into the container alone",
  ignore,
  async fn() {
    await using bench = new Bench();
    await bench.image("1");
    const marker = bench.place.path("marker");
    const simple: Record<string, string> = {
      // The loader of every program that has these writes the file, whoever runs it.
      LD_DEBUG: "libs",
      LD_DEBUG_OUTPUT: marker,
      LD_PRELOAD: "/no/such/canary.so",
      DOCKER_HOST: "unix:///no/such/canary.sock",
      DOCKER_CONFIG: "/no/such/canary",
      HTTP_PROXY: "http://canary.invalid:1",
      GODEBUG: "canary=1",
      BASH_ENV: "/no/such/canary",
      IFS: "canary",
      HOME: "/canary",
      LANG: "canary",
      h_name: "canary",
      EMPTY: "",
      SPACES: "  two canaries  ",
      HASH: "#canary # one",
      QUOTES: `it's "a canary" \\ $HOME \`id\``,
      UTF8: "Kanarienvögel 🐤",
    };
    const odd = {
      ...simple,
      LINES: "first canary\n\nHASH='x'\nlast canary\n",
      RETURN: "canary\r",
      LONG: `canary${"x".repeat(70_000)}`,
      CONTROL: "canary\t\u0001\u001b[31m\u2028",
    };
    const { executor, seen } = watched(bench);
    for (const variables of [simple, odd]) {
      const controller = bench.controller(
        bench.spec({ envFile: await bench.env(variables) }),
        executor,
      );
      await controller.start();
      const inside = await environ(bench.name);
      for (const [name, value] of Object.entries(variables)) {
        assert.equal(inside.get(name), value, name);
      }
      await controller.stop();
    }
    assert.doesNotMatch(seen(), /canary|canaries/);
    assert.match(seen(), /^create$/m);
    const loaded = [...Deno.readDirSync(bench.place.dir)].map((entry) => entry.name);
    assert.deepEqual(loaded.filter((name) => name.startsWith("marker")), []);
  },
});

Deno.test({
  name: "B3: a value that docker cannot take is refused by name",
  ignore,
  async fn() {
    await using bench = new Bench();
    await bench.image("1");
    const dir = bench.place.path("old");
    Deno.mkdirSync(dir);
    bench.place.script(
      "old/docker",
      `#!/bin/sh
[ "$1" != system ] || { echo "docker: 'system dial-stdio' is not a docker command" >&2; exit 1; }
PATH=\${PATH#*:}
exec docker "$@"
`,
    );
    const executor: Executor = {
      host: bench.executor.host,
      run: (command, options = {}) =>
        bench.executor.run(command, {
          ...options,
          env: { PATH: `${dir}:${Deno.env.get("PATH")}` },
        }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    const envFile = await bench.env({ PLAIN: "x", CERT: "secret one\nsecret two\n" });
    const error = await failure(bench.controller(bench.spec({ envFile }), executor).start());
    assert.match(error.message, /the value of CERT cannot be given to this docker/);
    assert.doesNotMatch(error.message, /secret|PLAIN/);
    assert.equal(await inspect(bench.name, "{{.Id}}"), null);
  },
});

Deno.test({
  name: "A5: a container that docker restarted once is started again",
  ignore,
  async fn() {
    await using bench = new Bench();
    await bench.image("1");
    const controller = bench.controller(bench.spec({
      restart: { policy: "always", maxRetries: 3, backoffMs: 100 },
    }));
    const first = await controller.start();
    kill(first.pid);
    await untilPasses(async () => {
      assert.equal(await inspect(bench.name, "{{.State.Status}} {{.RestartCount}}"), "running 1");
    });
    await controller.stop();
    const again = await controller.start();
    assert.deepEqual([again.running, again.containerId], [true, first.containerId]);
    assert.equal((await controller.status()).running, true);
  },
});

Deno.test({
  name: "A6, A7: a container that is not ours is named and left alone",
  ignore,
  async fn(t) {
    await using bench = new Bench();
    const image = await bench.image("1");
    const marks = (root: string, service = bench.name) =>
      [
        ["harness.service", service],
        ["harness.root", root],
        ["harness.print", "1"],
        ["harness.release", `${root}/${service}-0.9.0`],
      ].flatMap(([name, value]) => ["--label", `${name}=${value}`]);
    const kinds: [string, string[], RegExp][] = [
      ["no labels", [], /that is not ours is there/],
      ["another root", marks("/srv/A"), /of the installation under \/srv\/A is there/],
      ["another service", marks("/srv/A", "other"), /of the service other is there/],
      [
        "the version before, elsewhere",
        [
          ...["--label", `harness.service=${bench.name}`, "--label", "harness.print=1 2"],
          ...["-e", `HARNESS_INSTALL_DIR=/srv/B/${bench.name}-0.9.0`],
        ],
        /of the installation under \/srv\/B is there/,
      ],
    ];
    const states: [string, string[][]][] = [
      ["created", []],
      ["running", [["start", bench.name]]],
      ["paused", [["start", bench.name], ["pause", bench.name]]],
      ["exited", [["start", bench.name], ["stop", "-t", "1", bench.name]]],
    ];
    for (const [kind, labels, words] of kinds) {
      for (const [state, commands] of kind === "no labels" ? states : states.slice(1, 2)) {
        await t.step(`${kind}, ${state}`, async () => {
          const id = await docker("create", "--name", bench.name, ...labels, image);
          for (const command of commands) await docker(...command);
          const about = "{{.Id}} {{.State.Status}} {{.State.StartedAt}}";
          const before = await inspect(bench.name, about);
          const controller = bench.controller();
          const occupant = await controller.occupant();
          assert.equal(occupant?.ours, false);
          assert.equal(occupant?.name, bench.name);
          assert.equal(occupant?.running, state === "running" || state === "paused");
          const error = await failure(controller.start());
          assert.equal(error.code, "conflict", error.message);
          assert.equal(error.details?.reason, "occupied");
          assert.match(error.message, words);
          assert.equal((await controller.stop()).running, false);
          assert.equal((await controller.status()).running, false);
          assert.equal(
            (await hostStatus(bench.executor, [{ spec: bench.spec() }]))[0]?.running,
            false,
          );
          await failure(controller.reload());
          await failure(controller.logs(5));
          assert.equal(await inspect(bench.name, about), before);
          assert.ok(before?.startsWith(id));
          await docker("rm", "-f", bench.name);
        });
      }
    }
  },
});

Deno.test({
  name: "A6: a name is never taken for the beginning of an id",
  ignore,
  async fn() {
    await using bench = new Bench();
    const image = await bench.image("1");
    const other = bench.also(`${bench.name}-other`);
    const id = await docker("run", "-d", "--name", other, image);
    const spec = bench.spec();
    // Long enough that no container of somebody else's begins with it.
    const short = id.slice(0, 12);
    const controller = bench.controller({
      ...spec,
      name: short,
      execution: { ...spec.execution, container: short },
    });
    assert.equal(await controller.occupant(), null);
    assert.equal((await controller.stop()).running, false);
    assert.equal((await controller.status()).running, false);
    await failure(controller.logs(1));
    await failure(controller.reload());
    const started = await controller.start();
    bench.also(started.containerId ?? "");
    assert.notEqual(started.containerId, id);
    assert.equal(await inspect(id, "{{.State.Status}} {{.RestartCount}}"), "running 0");
  },
});

Deno.test({
  name: "A7: what runs already is ours, or it is not started",
  ignore,
  async fn(t) {
    await using bench = new Bench();
    await bench.image("1");
    await bench.image("2", `${STAY} # two`);
    const one = bench.controller();
    const two = bench.controller({
      ...bench.spec({ image: `${bench.name}:2` }),
      workDir: `${bench.place.path("opt")}/${bench.name}-2.0.0`,
    });
    const first = await one.start();
    await t.step("the same again is the one that runs", async () => {
      assert.deepEqual((await one.start()).identity, first.identity);
      assert.equal(first.identity?.releaseDir, bench.spec().workDir);
      assert.match(first.identity?.runId ?? "", /^[0-9a-f-]{36}$/);
      assert.equal(
        await inspect(bench.name, '{{index .Config.Labels "harness.run"}}'),
        first.identity?.runId,
      );
    });
    await t.step("another release is refused while it runs", async () => {
      const error = await failure(two.start());
      assert.equal(error.code, "conflict");
      assert.match(error.message, /runs already, but from .*-1\.0\.0 with other settings/);
      assert.equal((await one.status()).running, true);
      assert.equal((await two.occupant())?.ours, true);
    });
    await t.step("and takes its place when it is stopped", async () => {
      assert.equal((await two.stop()).running, false);
      const second = await two.start();
      assert.notEqual(second.containerId, first.containerId);
      assert.match(second.identity?.releaseDir ?? "", /-2\.0\.0$/);
      assert.equal((await two.occupant())?.identity?.runId, second.identity?.runId);
    });
    await t.step("one that was renamed is found, not started twice", async () => {
      const away = bench.also(`${bench.name}-away`);
      await docker("rename", bench.name, away);
      const occupant = await two.occupant();
      assert.deepEqual([occupant?.name, occupant?.ours], [away, false]);
      const error = await failure(two.start());
      assert.equal(error.code, "conflict");
      assert.match(error.message, new RegExp(`under another name, ${away}`));
      assert.match((await failure(two.stop())).message, new RegExp(`under another name, ${away}`));
      assert.equal(await inspect(away, "{{.State.Status}}"), "running");
      await docker("rename", away, bench.name);
      assert.equal((await two.stop()).running, false);
    });
    await t.step("a paused one goes on", async () => {
      await two.start();
      await docker("pause", bench.name);
      assert.equal((await two.start()).running, true);
      assert.equal(await inspect(bench.name, "{{.State.Status}}"), "running");
      await docker("pause", bench.name);
      assert.equal((await two.stop()).running, false);
    });
  },
});

Deno.test({
  name: "A7: a container of the version before is taken over",
  ignore,
  async fn() {
    await using bench = new Bench();
    const image = await bench.image("1");
    const envFile = await bench.env({ HARNESS_INSTALL_DIR: bench.spec().workDir });
    const labels = ["--label", `harness.service=${bench.name}`, "--label", "harness.print=1 2"];
    const variable = ["-e", `HARNESS_INSTALL_DIR=${bench.spec().workDir}`];
    const id = await docker("run", "-d", "--name", bench.name, ...labels, ...variable, image);
    const controller = bench.controller(bench.spec({ envFile }));
    const occupant = await controller.occupant();
    assert.equal(occupant?.ours, true);
    assert.deepEqual(occupant?.identity, { runId: null, releaseDir: bench.spec().workDir });
    assert.equal((await controller.start()).containerId, id, "it runs and is what was asked for");
    assert.equal((await controller.stop()).running, false);
    const taken = await controller.start();
    assert.notEqual(taken.containerId, id);
    assert.notEqual(taken.identity?.runId ?? null, null);
  },
});

Deno.test({
  name: "A8: a recorded image is run whatever its tag means by then",
  ignore,
  async fn() {
    await using bench = new Bench();
    const tag = await bench.image("1", `echo first; ${STAY}`);
    const first = await bench.controller().start();
    assert.match(first.imageId ?? "", /^sha256:[0-9a-f]{64}$/);
    await bench.controller().stop();
    await docker("rm", bench.name);
    // Its name would go with the tag, and the image with its last name.
    await docker("tag", tag, `${bench.name}:kept`);
    await bench.image("1", `echo second; ${STAY}`);
    const spec = bench.spec();
    const recorded = bench.controller({
      ...spec,
      execution: { ...spec.execution, imageId: first.imageId ?? null },
    });
    assert.equal((await recorded.start()).imageId, first.imageId);
    await untilPasses(async () => assert.deepEqual(await recorded.logs(1), ["first"]));
    await recorded.stop();
    await docker("rm", bench.name);
    await docker("rmi", `${bench.name}:kept`);
    const error = await failure(recorded.start());
    assert.match(
      error.message,
      /the image sha256:\S+, which 1\.0\.0 was deployed with .* is not on this machine any more/,
    );
    assert.equal(await inspect(bench.name, "{{.Id}}"), null);
  },
});

Deno.test({
  name: "A11: the image in the file is used, whatever it is called",
  ignore,
  async fn(t) {
    await using bench = new Bench();
    const named = await bench.image("named");
    const other = await bench.image("other", `${STAY} # other`);
    const bare = await inspectImage(named);
    const tar = async (...images: string[]) => {
      await docker("save", "-o", bench.place.path("image.tar"), ...images);
    };
    const start = (image: string) => {
      const spec = bench.spec();
      return bench.controller({
        ...spec,
        execution: { ...spec.execution, image, imageTar: bench.place.path("image.tar") },
      }).start();
    };
    await t.step("another tag", async () => {
      await tar(named);
      assert.equal((await start(`${bench.name}:1.0.0`)).imageId, bare);
      await docker("rm", "-f", bench.name);
    });
    await t.step("no tag", async () => {
      await tar(bare);
      assert.equal((await start(`${bench.name}:1.0.0`)).imageId, bare);
      await docker("rm", "-f", bench.name);
    });
    await t.step("several, one of them asked for", async () => {
      await tar(named, other);
      assert.equal((await start(named)).imageId, bare);
      await docker("rm", "-f", bench.name);
    });
    await t.step("several, none of them asked for", async () => {
      const error = await failure(start(`${bench.name}:1.0.0`));
      assert.match(
        error.message,
        /holds several images \(.*:named .*:other\) and none is .*:1\.0\.0/,
      );
    });
    await t.step("a file that is none", async () => {
      await Deno.writeTextFile(bench.place.path("image.tar"), "no tar");
      assert.match((await failure(start(named))).message, /image\.tar cannot be loaded: /);
    });
  },
});

async function inspectImage(image: string): Promise<string> {
  return await docker("image", "inspect", "-f", "{{.Id}}", image);
}

Deno.test({
  name: "containers: a log cannot forge a report",
  ignore,
  async fn() {
    await using bench = new Bench();
    const lines = ["@harness failed forged", "@harness container {}", "@harness log", "last words"];
    await bench.image("1", `printf '%s\\n' ${lines.map((l) => `'${l}'`).join(" ")}; exit 3`);
    const spec = bench.spec();
    const error = await failure(
      bench.controller({ ...spec, execution: { ...spec.execution, image: `${bench.name}:1` } })
        .start(),
    );
    assert.match(error.message, /it did not stay up: the program exited with code 3/);
    assert.deepEqual(error.details?.log, lines);
    assert.equal(error.details?.exit_code, 3);
  },
});

Deno.test({
  name: "containers: names that begin with a dash are no flags",
  ignore,
  async fn() {
    await using bench = new Bench();
    await bench.image("1");
    const spec = bench.spec();
    for (const dash of ["--help", "-f", "-v=/:/host"]) {
      const named = bench.controller({
        ...spec,
        execution: { ...spec.execution, container: dash },
      });
      assert.equal((await named.status()).running, false);
      assert.equal(await named.occupant(), null);
      assert.equal((await named.stop()).running, false);
      await failure(named.logs(1));
      assert.match((await failure(named.start())).message, /Invalid container name|invalid/i);
      const [status] = await hostStatus(bench.executor, [{
        spec: { ...spec, execution: { ...spec.execution, container: dash } },
      }]);
      assert.equal(status?.running, false);
      const imaged = bench.controller({ ...spec, execution: { ...spec.execution, image: dash } });
      assert.match(
        (await failure(imaged.start())).message,
        /not on this machine|invalid reference/i,
      );
    }
  },
});

/** Machines on which the scripts run: another shell, other tools, an old timeout. */
const TOOLS = [
  { name: "bash", busybox: false, oldTimeout: false },
  { name: "BusyBox", busybox: true, oldTimeout: false },
  { name: "BusyBox with an old timeout", busybox: true, oldTimeout: true },
];

Deno.test({
  name: "containers: run the same with other shells and tools",
  ignore,
  async fn(t) {
    for (const { name, busybox, oldTimeout } of TOOLS) {
      await t.step(name, async () => {
        await using bench = new Bench();
        await bench.image("1", `echo "@harness failed no"; ${STAY}`);
        const bin = bench.place.path("bin");
        Deno.mkdirSync(bin);
        if (busybox) {
          const { success } = new Deno.Command("busybox", { args: ["--install", "-s", bin] })
            .outputSync();
          assert.ok(success);
          for (const program of ["docker", "busybox"]) {
            await bench.executor.run({
              script: 'ln -sf "$(command -v "$1")" "$2/$1"',
              args: [program, bin],
            });
          }
        }
        if (oldTimeout) {
          Deno.removeSync(`${bin}/timeout`);
          // "timeout -t SECONDS -s KILL PROGRAM": what comes first is its own options.
          bench.place.script(
            "bin/timeout",
            `#!/bin/sh
[ "$1" = -t ] || exit 1
seconds=$2; shift 2
if [ "$1" = -s ]; then shift 2; set -- -s KILL "$seconds" "$@"; else set -- "$seconds" "$@"; fi
exec ${bin}/busybox timeout "$@"
`,
          );
        }
        const executor: Executor = {
          host: bench.executor.host,
          run: (command, options = {}) =>
            bench.executor.run(
              "argv" in command ? command : {
                argv: [
                  busybox ? `${bin}/sh` : "bash",
                  "-c",
                  command.script,
                  "sh",
                  ...command.args ?? [],
                ] as [string, ...string[]],
              },
              busybox ? { ...options, env: { ...options.env, PATH: bin } } : options,
            ),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        };
        const variables = { PLAIN: "a 'b' #c", LINES: "one\n\ntwo\n" };
        const made = bench.spec({
          envFile: await bench.env(variables),
          restart: { policy: "on-failure", maxRetries: 2, backoffMs: 100 },
        });
        const controller = bench.controller(made, executor);
        const started = await controller.start();
        const inside = await environ(bench.name);
        assert.deepEqual([inside.get("PLAIN"), inside.get("LINES")], Object.values(variables));
        assert.deepEqual((await controller.start()).identity, started.identity);
        assert.deepEqual((await controller.occupant())?.identity, started.identity);
        const [status] = await hostStatus(executor, [{ spec: made }]);
        assert.deepEqual([status?.running, status?.identity], [true, started.identity]);
        await untilPasses(async () =>
          assert.deepEqual(await controller.logs(3), ["@harness failed no"])
        );
        const failed = bench.controller(
          { ...made, execution: { ...made.execution, image: `${bench.name}:none` } },
          executor,
        );
        assert.equal((await controller.stop()).running, false);
        assert.match((await failure(failed.start())).message, /is not on this machine/);
        assert.equal((await controller.start()).containerId, started.containerId);
        assert.equal((await controller.stop()).running, false);
      });
    }
  },
});

/**
 * Whose process runs under the name of a service: read from records and from what a process itself carries.
 */
import assert from "node:assert/strict";
import { ProcessController } from "../../src/lifecycle/drivers/process/controller.ts";
import type { ProcessSpec } from "../../src/lifecycle/drivers/process/commands.ts";
import type { ServiceSpec } from "../../src/lifecycle/service_spec.ts";
import { Bench, run } from "../deploy/support.ts";
import { eventually, isAlive, MACHINES, Place } from "../lifecycle/fixture.ts";
import { has, needs } from "../helpers/require.ts";

const LOOP = "while :; do sleep 0.2; done";

function controllerOf(
  machine: { executor: ConstructorParameters<typeof ProcessController>[0] },
  spec: ServiceSpec,
) {
  assert(spec.execution.type === "managed_process");
  return new ProcessController(machine.executor, spec as ProcessSpec);
}

for (const { name: where, component, open } of MACHINES) {
  Deno.test({
    name: `ProcessController.occupant(): this and other releases, ${where}`,
    ignore: component !== null && needs(component),
    async fn() {
      await using bench = new Bench();
      await using place = new Place();
      await using machine = await open(place);
      // A name that is another one as part of a path.
      const source = await bench.makePackage({ name: "web.x" });
      const other = `${bench.dir}/other`;
      Deno.mkdirSync(other);
      const target = bench.target("there", { installRoot: other });
      const { host } = await run(bench.plan(source, { hosts: [target] }));
      const there = host.service;
      assert(there !== undefined && there !== null, JSON.stringify(host));
      const mine = controllerOf(machine, {
        ...there.spec,
        workDir: `${bench.root}/web_x-1.0.0`,
        runDir: `${bench.root}/.harness/web_x/run/1.0.0`,
      });
      assert.equal(await mine.occupant(), null, "below another root it is another service");
      const its = controllerOf(machine, there.spec);
      const status = await its.status();
      assert.equal(status.identity?.releaseDir, `${other}/web_x-1.0.0`);
      assert.match(status.identity?.runId ?? "", /^[0-9a-f-]{36}$/);
      const next = controllerOf(machine, {
        ...there.spec,
        workDir: `${other}/web_x-2.0.0`,
        runDir: there.spec.runDir.replace("1.0.0", "2.0.0"),
      });
      assert.deepEqual(await next.occupant(), {
        kind: "process",
        name: String(there.status.pid),
        ours: true,
        identity: { ...there.status.identity },
        running: true,
        detail: `running, pid ${there.status.pid}, from ${other}/web_x-1.0.0`,
      });
      assert.deepEqual((await next.occupant())?.identity, status.identity);
      // Lost bookkeeping: what runs still says whose it is.
      const pidFile = `${there.spec.runDir}/web_x.pid`;
      Deno.renameSync(pidFile, `${pidFile}.lost`);
      assert.deepEqual((await next.occupant())?.identity, status.identity);
      Deno.renameSync(`${pidFile}.lost`, pidFile);
      await its.stop();
      assert.equal(await its.occupant(), null);
      assert.equal(await mine.occupant(), null);
    },
  });
}

Deno.test({
  name: "ProcessController.occupant(): nobody weaker can forge one",
  ignore: needs("root"),
  async fn() {
    await using place = new Place();
    await using machine = await MACHINES[0]!.open(place);
    const base = place.path("root/.harness/svc");
    Deno.mkdirSync(`${base}/run/1.0.0`, { recursive: true });
    const spec = place.shell("svc", LOOP, {
      runDir: `${base}/run/2.0.0`,
      workDir: place.dir,
    });
    // What another user says of himself in his environment is no reason to refuse anything.
    const child = new Deno.Command("setpriv", {
      args: ["--reuid=nobody", "--clear-groups", "--", "sh", "-c", `: ${place.dir}; ${LOOP}`],
      env: {
        HARNESS_SERVICE: "svc",
        HARNESS_RUN: "11111111-2222-3333-4444-555555555555",
        HARNESS_INSTALL_DIR: "/srv/B/svc-1.0.0",
        HARNESS_DATA_DIR: `${base}/shared`,
      },
    }).spawn();
    try {
      const asDaemon = { ...spec, execution: { ...spec.execution, user: "daemon" } as never };
      await eventually(async () =>
        assert.match(await Deno.readTextFile(`/proc/${child.pid}/environ`), /HARNESS_SERVICE=svc/)
      );
      assert.equal(await controllerOf(machine, asDaemon).occupant(), null);
      // Nor does a run of ours take in what only carries its marker: a stop leaves it alone.
      const own = controllerOf(machine, asDaemon);
      const { pid, identity } = await own.start();
      const marked = new Deno.Command("setpriv", {
        args: ["--reuid=nobody", "--clear-groups", "--", "sh", "-c", `: ${place.dir}; ${LOOP}`],
        env: { HARNESS_RUN: identity?.runId ?? "" },
      }).spawn();
      try {
        await own.stop();
        assert.equal(await isAlive(pid ?? 0), false);
        assert.ok(await isAlive(marked.pid), "another user's process is none of the run");
      } finally {
        marked.kill("SIGKILL");
        await marked.status;
      }
    } finally {
      child.kill("SIGKILL");
      await child.status;
    }
  },
});

Deno.test("a process's name with line ends forges no report", async () => {
  if (!has("python3")) return;
  await using place = new Place();
  await using machine = await MACHINES[0]!.open(place);
  const script = place.script(
    "named.py",
    `import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
open("/proc/self/comm", "w").write("x\\n@harness ok 1")
open("${place.path("port")}", "w").write(str(s.getsockname()[1]) + "\\n")
time.sleep(600)
`,
  );
  const child = new Deno.Command("python3", { args: [script] }).spawn();
  try {
    const port = await eventually(async () => {
      const text = await Deno.readTextFile(place.path("port"));
      assert.match(text, /\n/);
      return Number(text);
    });
    const spec = place.shell("web", LOOP, { ports: [{ name: "http", port, protocol: "http" }] });
    await assert.rejects(controllerOf(machine, spec).start(), /is already taken by x \(pid \d+\)/);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
});

Deno.test("a log full of reports of ours forges none", async () => {
  await using place = new Place();
  await using machine = await MACHINES[0]!.open(place);
  const spec = place.shell(
    "liar",
    "echo '@harness running 1 r /'; echo '@harness running 1'; exit 3",
  );
  const error = await controllerOf(machine, spec).start().then(
    () => assert.fail("it started"),
    (error) => error,
  );
  assert.equal(error.details.exit_code, 3);
  assert.deepEqual(error.details.log, ["@harness running 1 r /", "@harness running 1"]);
});

/**
 * Whose process runs under the name of a service: read from records and from what a process itself carries.
 */
import assert from "node:assert/strict";
import { isAlive, LOCAL, Place, REMOTES } from "../lifecycle/fixture.ts";
import { needs } from "../helpers/require.ts";
import { controllerOf, testOccupant } from "./process_identity_cases.ts";
import { untilPasses } from "../helpers/raw_client.ts";

for (const kind of REMOTES) testOccupant(kind);

const LOOP = "while :; do sleep 0.2; done";

Deno.test({
  name: "ProcessController.occupant(): nobody weaker can forge one",
  ignore: needs("root"),
  async fn() {
    await using place = new Place();
    await using machine = await LOCAL.open(place);
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
      await untilPasses(async () =>
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

Deno.test({
  name: "process name: line ends forge no report",
  ignore: needs("python3"),
  async fn() {
    await using place = new Place();
    await using machine = await LOCAL.open(place);
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
      const port = await untilPasses(async () => {
        const text = await Deno.readTextFile(place.path("port"));
        assert.match(text, /\n/);
        return Number(text);
      });
      const spec = place.shell("web", LOOP, { ports: [{ name: "http", port, protocol: "http" }] });
      await assert.rejects(
        controllerOf(machine, spec).start(),
        /is already taken by x \(pid \d+\)/,
      );
    } finally {
      child.kill("SIGKILL");
      await child.status;
    }
  },
});

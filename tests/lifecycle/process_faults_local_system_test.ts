/** What is left when something dies at the wrong moment. */
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { createController } from "../../src/lifecycle/controller.ts";
import { hostStatus } from "../../src/lifecycle/supervisor/host_status.ts";
import type { Controller } from "../../src/lifecycle/service_spec.ts";
import {
  isAlive,
  kill,
  localMachine,
  type Machine,
  pidsWith,
  Place,
  processController,
} from "./fixture.ts";
import { untilPasses } from "../helpers/raw_client.ts";

const LOOP = "while :; do sleep 0.2; done";

/** The shim's pid, from the pid file. */
async function shimOf(place: Place, name: string): Promise<number> {
  const text = await Deno.readTextFile(place.path(`run/${name}.pid`));
  return Number(/^wrapper=(\d+)$/m.exec(text)?.[1]);
}

async function stopped(controller: Controller): Promise<void> {
  await untilPasses(async () => assert.equal((await controller.status()).running, false));
}

Deno.test("shim: killed, the service runs on and can be stopped", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const controller = processController(machine, place.shell("api", LOOP));
  const { pid } = await controller.start();
  Deno.kill(await shimOf(place, "api"), "SIGKILL");
  assert.equal((await controller.status()).pid, pid);
  kill(pid);
  await stopped(controller);
  const status = await controller.status();
  assert.deepEqual([status.exitCode, status.signal], [null, null]);
  assert.match(status.detail, /nothing recorded how it ended/);
  const again = await controller.start();
  assert.notEqual(again.pid, pid);
  Deno.kill(await shimOf(place, "api"), "SIGKILL");
  assert.equal((await controller.stop()).running, false);
  assert.equal(await isAlive(again.pid ?? 0), false);
});

Deno.test("status: waits for the shim to record a crash", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const controller = processController(machine, place.shell("api", LOOP));
  const { pid } = await controller.start();
  const shim = await shimOf(place, "api");
  Deno.kill(shim, "SIGSTOP");
  kill(pid);
  await untilPasses(async () => assert.equal(await isAlive(pid ?? 0), false));
  const looked = Promise.all([
    controller.status(),
    hostStatus(machine.executor, [{
      spec: place.shell("api", LOOP),
      systemd: false,
    }]),
  ]);
  // Time in which both begin to wait for the shim; nothing tells that they do, and later is as good.
  await new Promise((resolve) => setTimeout(resolve, 300));
  Deno.kill(shim, "SIGCONT");
  const [one, [all]] = await looked;
  assert.deepEqual([one.signal, all?.signal], ["SIGKILL", "SIGKILL"]);
});

Deno.test("process: children of a crashed service are ended", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  // Its own children come and go all the time, also while somebody looks at what is there.
  const busy = "while :; do sleep 0.01; done";
  const child = place.script("child.sh", `#!/bin/sh\ntrap "" TERM HUP\n${busy}\n`);
  const main = place.script("main.sh", `#!/bin/sh\n${child} &\n${child} &\n${LOOP}\n`);
  const controller = processController(machine, place.spec("api", [main]));
  const first = await controller.start();
  await untilPasses(async () => assert.equal((await pidsWith(child)).length, 2));
  kill(first.pid);
  await untilPasses(async () => assert.deepEqual(await pidsWith(child), []));
  const second = await controller.start();
  await untilPasses(async () => assert.equal((await pidsWith(child)).length, 2));
  const orphans = await pidsWith(child);
  Deno.kill(await shimOf(place, "api"), "SIGKILL");
  kill(second.pid);
  await stopped(controller);
  const third = await controller.start();
  for (const pid of orphans) {
    assert.equal(await isAlive(pid), false, "the next start cleared it away");
  }
  assert.ok(await isAlive(third.pid ?? 0));
  await controller.stop();
  assert.deepEqual(await pidsWith(child), []);
});

Deno.test("start: during a stop it starts a new run", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const go = place.path("go");
  const slow = `trap "until [ -e ${go} ]; do sleep 0.05; done; exit 0" TERM; ${LOOP}`;
  const spec = place.shell("api", slow, { stop: { signal: "TERM", timeoutMs: 60_000 } });
  const controller = processController(machine, spec);
  const first = await controller.start();
  const stopping = controller.stop();
  await untilPasses(() => Deno.lstat(place.path("run/api.stop")));
  const starting = processController(machine, spec).start();
  // Time in which the start could come before the end of the stop; nothing tells that it waits.
  await Promise.race([starting, new Promise((resolve) => setTimeout(resolve, 1_000))]);
  await Deno.writeTextFile(go, "");
  await stopping;
  const second = await starting;
  assert.notEqual(second.pid, first.pid);
  assert.ok(await isAlive(second.pid ?? 0));
  assert.equal((await controller.status()).pid, second.pid);
});

Deno.test("start: aborted, the service is found and stopped", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const controller = processController(machine, place.shell("api", LOOP));
  const reason = new Error("enough");
  // On a busy machine a start may be done before we come to abort it: then another one.
  for (let aborted = false; !aborted;) {
    const abort = new AbortController();
    const ended = controller.start({ signal: abort.signal }).then(() => null, (error) => error);
    await untilPasses(async () => assert.ok(await isAlive(await shimOf(place, "api"))));
    abort.abort(reason);
    const error = await ended;
    aborted = error !== null;
    if (aborted) assert.equal(error, reason);
    else await controller.stop();
  }
  const status = await controller.status();
  assert.ok(status.running, status.detail);
  assert.equal((await controller.start()).pid, status.pid, "not started twice");
  await controller.stop();
});

/** This machine where every short pause takes half a second, as where many programs want the processor. */
function sluggish(place: Place, machine: Machine): Machine {
  const path = Deno.env.get("PATH") ?? "/usr/bin:/bin";
  Deno.mkdirSync(place.path("slow"));
  place.script(
    "slow/sleep",
    `#!/bin/sh\nPATH='${path}'\ncase $1 in 0.*) exec sleep 0.5 ;; esac\nexec sleep "$@"\n`,
  );
  const PATH = `${place.path("slow")}:${path}`;
  return {
    executor: {
      host: machine.executor.host,
      run: (command, options = {}) =>
        machine.executor.run(command, { ...options, env: { ...options.env, PATH } }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

Deno.test("start: a hanging daemon script is killed at its deadline", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const child = place.script("child.sh", "#!/bin/sh\nsleep 600; :\n");
  const script = place.script(
    "start.sh",
    `#!/bin/sh\necho waiting for the moon\n${child} &\n${child}\n`,
  );
  const spec = place.spec("api", [script], { execution: { start: "daemon" } });
  const controller = createController(sluggish(place, machine).executor, spec, {
    systemd: false,
    startTimeoutMs: 3_000, // 30 pauses, which here take longer than the executor would wait
  });
  const error = await controller.start().catch((error) => error);
  assert.ok(error instanceof HarnessError && error.code === "timeout", String(error));
  assert.match(error.message, /not started after 3000 ms, and killed/);
  assert.deepEqual(error.details?.log, ["waiting for the moon"]);
  await untilPasses(async () => assert.deepEqual(await pidsWith(child), []));
  assert.equal((await controller.status()).running, false);
});

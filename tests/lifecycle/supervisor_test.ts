import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { LOOP, service, Watcher } from "./watcher.ts";
import { Gate, health, isAlive, kill, localMachine, Place, processController } from "./fixture.ts";
import { untilPasses } from "../helpers/raw_client.ts";

Deno.test("Supervisor: restarts a crashed service, in legal states", async () => {
  await using place = new Place();
  await using watcher = new Watcher();
  const { supervisor } = watcher;
  const spec = place.shell("api", LOOP, { restart: { policy: "on-failure", backoffMs: 50 } });
  await supervisor.watch(service(spec), { running: false });
  const { pid } = await supervisor.start("api");
  kill(pid);
  await untilPasses(() => assert.ok(watcher.states("api").includes("failed")));
  await untilPasses(() => assert.equal(watcher.states("api").at(-1), "running"));
  assert.deepEqual(watcher.states("api"), ["starting", "running", "failed", "starting", "running"]);
  const states = watcher.of("state");
  assert.match(states[2]?.reason ?? "", /ended by SIGKILL/);
  assert.equal(states[3]?.cause, "policy");
  assert.notEqual(states[4]?.status?.pid, pid);
  assert.equal((await supervisor.stop("api")).running, false);
});

Deno.test("stop: no policy starts it again", async () => {
  await using place = new Place();
  await using watcher = new Watcher();
  const { supervisor } = watcher;
  const spec = place.shell("api", LOOP, { restart: { policy: "always", backoffMs: 1 } });
  await supervisor.watch(service(spec), { running: false });
  await supervisor.start("api");
  await supervisor.stop("api");
  for (let i = 0; i < 3; i++) await supervisor.poll("local");
  // Nothing tells that a restart stays away: the pause before one (1 ms) and several looks are waited out.
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.deepEqual(watcher.states("api"), ["starting", "running", "stopping", "stopped"]);
});

Deno.test("stop: cancels a planned restart", async () => {
  await using place = new Place();
  // On a busy machine the restart may come before the stop: then with a longer pause before it.
  for (let backoffMs = 500, inTime = false; !inTime; backoffMs *= 4) {
    await using watcher = new Watcher();
    const { supervisor } = watcher;
    const spec = place.shell("api", LOOP, { restart: { policy: "always", backoffMs } });
    await supervisor.watch(service(spec), { running: false });
    const { pid } = await supervisor.start("api");
    kill(pid);
    const begun = () => watcher.states("api").slice(3);
    await untilPasses(() => assert.ok(supervisor.awaitsRestart("api") || begun().length > 0));
    inTime = supervisor.awaitsRestart("api");
    await supervisor.stop("api");
    if (!inTime) continue;
    assert.equal(supervisor.awaitsRestart("api"), false);
    // Nothing tells that a restart stays away: the longest pause that the policy may make is waited out.
    await new Promise((resolve) => setTimeout(resolve, 1.3 * backoffMs));
    assert.deepEqual(watcher.states("api"), ["starting", "running", "failed"]);
  }
});

Deno.test("Supervisor: gives up a crash loop, with history and log", async () => {
  await using place = new Place();
  await using watcher = new Watcher({ random: () => 0 });
  const { supervisor } = watcher;
  const gate = new Gate(place);
  const script = `echo 'out of luck'; ${gate.wait}; exit 9`;
  const spec = place.shell("loop", script, {
    restart: { policy: "on-failure", maxRetries: 2, backoffMs: 20 },
  });
  await supervisor.watch(service(spec), { running: false });
  await supervisor.start("loop");
  for (const runs of [1, 2, 3]) {
    await untilPasses(() =>
      assert.equal(watcher.states("loop").filter((state) => state === "running").length, runs)
    );
    gate.open();
  }
  await untilPasses(() => assert.equal(watcher.of("gave_up").length, 1));
  const [gaveUp] = watcher.of("gave_up");
  assert.equal(gaveUp?.attempts, 2);
  assert.deepEqual(gaveUp?.history.map((end) => end.reason), Array(3).fill("exited with code 9"));
  assert.deepEqual(watcher.of("restart_scheduled").map((e) => e.delayMs), [20, 40]);
  const last = watcher.of("state").at(-1);
  assert.equal(last?.state, "failed");
  assert.match(last?.reason ?? "", /crash loop, gave up after 2 restarts: exited with code 9/);
  assert.ok(last?.log.includes("out of luck"));
});

Deno.test("Supervisor: a failed restart counts as a crash", async () => {
  await using place = new Place();
  await using watcher = new Watcher({ random: () => 0 });
  const { supervisor } = watcher;
  const script = place.script(
    "once.sh",
    `#!/bin/sh\n[ ! -e ${place.path("ran")} ] || exit 5\ntouch ${place.path("ran")}\n${LOOP}\n`,
  );
  const spec = place.spec("once", [script], {
    restart: { policy: "on-failure", maxRetries: 2, backoffMs: 20 },
  });
  await supervisor.watch(service(spec), { running: false });
  const { pid } = await supervisor.start("once");
  kill(pid);
  await untilPasses(() => assert.equal(watcher.of("gave_up").length, 1));
  const history = watcher.of("gave_up")[0]?.history.map((end) => end.reason);
  assert.equal(history?.[0], "ended by SIGKILL");
  assert.match(history?.[2] ?? "", /exited with code 5 at once/);
});

Deno.test("Supervisor: a clean end is stopped, unless always", async () => {
  await using place = new Place();
  await using watcher = new Watcher();
  const { supervisor } = watcher;
  const gate = new Gate(place);
  const script = `${gate.wait}; exit 0`;
  await supervisor.watch(
    service(place.shell("job", script, { restart: { policy: "on-failure" } })),
    { running: false },
  );
  await supervisor.start("job");
  gate.open();
  await untilPasses(() => assert.equal(watcher.states("job").at(-1), "stopped"));
  await supervisor.watch(service(place.shell("keep", script, { restart: { policy: "always" } })), {
    running: false,
  });
  await supervisor.start("keep");
  gate.open();
  await untilPasses(() => assert.ok(watcher.of("restart_scheduled").length > 0));
  await supervisor.stop("keep");
});

Deno.test("start: a failure is reported and leaves it failed", async () => {
  await using place = new Place();
  await using watcher = new Watcher();
  const { supervisor } = watcher;
  const spec = place.shell("bad", "echo no config; exit 2", {
    restart: { policy: "always", backoffMs: 1 },
  });
  await supervisor.watch(service(spec), { running: false });
  await assert.rejects(supervisor.start("bad"), /exited with code 2 at once/);
  assert.deepEqual(watcher.states("bad"), ["starting", "failed"]);
  assert.deepEqual(watcher.of("state").at(-1)?.log, ["no config"]);
  assert.equal(watcher.of("restart_scheduled").length, 0);
});

Deno.test("Supervisor: one call at a time for a service", async () => {
  await using place = new Place();
  await using watcher = new Watcher();
  const { supervisor } = watcher;
  await supervisor.watch(service(place.shell("one", LOOP)), { running: false });
  const statuses = await Promise.all(Array.from({ length: 8 }, () => supervisor.start("one")));
  assert.equal(new Set(statuses.map((status) => status.pid)).size, 1);
  await Promise.all([supervisor.restart("one"), supervisor.stop("one")]);
  assert.equal((await (await supervisor.controller("one")).status()).running, false);
  // Eight starts are eight times "starting, running" in a caller's eyes; a registry lets only the first through.
  watcher.events.length = 0;
});

Deno.test("adopt: keeps what runs, reports what ended", async () => {
  await using place = new Place();
  const survivor = place.shell("survivor", LOOP, { restart: { policy: "always" } });
  const dead = place.shell("dead", LOOP, { restart: { policy: "on-failure", backoffMs: 10 } });
  const pids = new Map<string, number | null>();
  {
    await using before = new Watcher();
    for (const spec of [survivor, dead]) {
      await before.supervisor.watch(service(spec), { running: false });
      pids.set(spec.name, (await before.supervisor.start(spec.name)).pid);
    }
  }
  assert.ok(await isAlive(pids.get("survivor") ?? 0), "the end of supervision leaves it alone");
  kill(pids.get("dead"));
  await untilPasses(async () => assert.equal(await isAlive(pids.get("dead") ?? 0), false));
  await using after = new Watcher();
  const status = await after.supervisor.adopt(service(survivor), {
    running: true,
    pid: pids.get("survivor") ?? null,
  });
  assert.equal(status.pid, pids.get("survivor"));
  assert.deepEqual(after.of("adopted").map((e) => [e.id, e.same]), [["survivor", true]]);
  await after.supervisor.adopt(service(dead), { running: true, pid: pids.get("dead") ?? null });
  assert.match(after.of("state")[0]?.reason ?? "", /ended by SIGKILL while nobody watched/);
  await untilPasses(() =>
    assert.deepEqual(after.states("dead"), ["failed", "starting", "running"])
  );
  assert.deepEqual(after.states("survivor"), []);
  await after.supervisor.stop("survivor");
  await after.supervisor.stop("dead");
});

Deno.test("Supervisor: accepts stops and starts by others", async () => {
  await using place = new Place();
  await using watcher = new Watcher();
  await using machine = await localMachine();
  const { supervisor } = watcher;
  const spec = place.shell("api", LOOP, { restart: { policy: "always", backoffMs: 1 } });
  await supervisor.watch(service(spec), { running: false });
  await supervisor.start("api");
  const other = processController(machine, spec);
  await other.stop();
  await untilPasses(() => assert.equal(watcher.states("api").at(-1), "stopped"));
  await other.start();
  await untilPasses(() => assert.equal(watcher.states("api").at(-1), "running"));
  assert.equal(watcher.of("restart_scheduled").length, 0);
  await supervisor.unwatch("api");
  await other.stop();
  await other.start();
  await other.stop();
  assert.equal(watcher.states("api").at(-1), "running", "nothing is reported after unwatch");
});

Deno.test("Supervisor: reports health on change only", async () => {
  await using place = new Place();
  await using watcher = new Watcher();
  const { supervisor } = watcher;
  const probe = place.script(
    "health.sh",
    `#!/bin/sh\n[ -e ${place.path("ill")} ] || { echo fine; exit 0; }\necho "disk full"\nexit 2\n`,
  );
  const spec = place.shell("api", LOOP, {
    health: health({ type: "script", script: probe }, { intervalMs: 50, retries: 3, successes: 2 }),
  });
  await supervisor.watch(service(spec), { running: false });
  await supervisor.start("api");
  const published = () => watcher.of("health").filter((e) => e.publish);
  await untilPasses(() => assert.equal(published().length, 1));
  await Deno.writeTextFile(place.path("ill"), "");
  await untilPasses(() => assert.equal(published().length, 2));
  const ill = published()[1];
  assert.deepEqual([ill?.healthy, ill?.failures], [false, 3]);
  assert.match(
    ill?.message ?? "",
    /^3\/3 failed: the health script exited with code 2: disk full$/,
  );
  await Deno.remove(place.path("ill"));
  await untilPasses(() => assert.equal(published().at(-1)?.healthy, true));
  assert.equal(published().length, 3);
  assert.deepEqual(watcher.states("api"), ["starting", "running"], "ill health is not failure");
  await supervisor.stop("api");
  const count = watcher.of("health").length;
  // Nothing tells that a check stays away: the pauses of six (50 ms each) are waited out.
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(watcher.of("health").length, count, "no checks after a stop");
});

Deno.test("start: waits for health, fails with the last check", async () => {
  await using place = new Place();
  await using watcher = new Watcher();
  const { supervisor } = watcher;
  const probe = place.script("health.sh", `#!/bin/sh\necho warming up\nexit 2\n`);
  const spec = place.shell("slow", LOOP, { health: health({ type: "script", script: probe }) });
  await supervisor.watch(service(spec), { running: false });
  const error = await supervisor.start("slow", { healthTimeoutMs: 300 }).catch((error) => error);
  assert.ok(error instanceof HarnessError);
  assert.match(
    error.message,
    /not healthy within 300 ms: the health script exited with code 2: warming up/,
  );
  assert.equal(watcher.states("slow").at(-1), "failed");
});

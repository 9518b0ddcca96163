/** Restarts by policy that outlive the supervisor that planned them. */
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { localExecutor } from "../../src/executor/local.ts";
import type { RecordedState } from "../../src/lifecycle/supervisor/supervised_service.ts";
import type { RestartState } from "../../src/lifecycle/supervisor/restart_policy.ts";
import type { SupervisorEvent } from "../../src/lifecycle/supervisor/events.ts";
import { kill, Place } from "./fixture.ts";
import { LOOP, service, Watcher } from "./watcher.ts";
import { untilPasses } from "../helpers/raw_client.ts";

const end = { at: "2026-11-23T11:57:19.024Z", reason: "exited with code 9" };
const memory = (attempts: number, planned: boolean): RestartState => ({
  attempts,
  history: Array(attempts).fill(end),
  planned,
});
const down = (restarts: RestartState): RecordedState => ({ running: false, restarts });

Deno.test("adopt: plans a restart that was planned before", async () => {
  await using place = new Place();
  let restarts: RestartState | undefined;
  const spec = place.shell("api", LOOP, {
    restart: { policy: "on-failure", maxRetries: 3, backoffMs: 2_000 },
  });
  {
    await using before = new Watcher({ random: () => 0 });
    await before.supervisor.watch(service(spec), { running: false });
    const { pid } = await before.supervisor.start("api");
    kill(pid);
    await untilPasses(() => assert.equal(before.of("restart_scheduled").length, 1));
    assert.ok(before.supervisor.awaitsRestart("api"));
    restarts = before.of("state").at(-1)?.restarts;
  }
  assert.deepEqual([restarts?.attempts, restarts?.planned], [1, true]);
  await using after = new Watcher({ random: () => 0 });
  const { supervisor } = after;
  assert.ok(restarts !== undefined);
  const adoptedAt = performance.now();
  assert.equal((await supervisor.adopt(service(spec), down(restarts))).running, false);
  assert.ok(supervisor.awaitsRestart("api"));
  await untilPasses(() => assert.deepEqual(after.states("api"), ["starting", "running"]));
  assert.ok(performance.now() - adoptedAt >= 2_000, "the pause is kept");
  assert.equal(after.of("state")[0]?.reason, "restart 1 of 3 by policy");
  assert.equal(supervisor.awaitsRestart("api"), false);
  await supervisor.stop("api");
});

Deno.test("adopt: leaves down what has no restart planned", async () => {
  await using place = new Place();
  await using watcher = new Watcher({ random: () => 0 });
  const { supervisor } = watcher;
  const restart = { policy: "always", maxRetries: 3, backoffMs: 1 } as const;
  const recorded: Record<string, RecordedState> = {
    gave_up: down(memory(3, false)),
    none: { running: false },
    stopping: { running: true, stopping: true },
  };
  for (const [name, state] of Object.entries(recorded)) {
    await supervisor.adopt(service(place.shell(name, LOOP, { restart })), state);
    assert.equal(supervisor.awaitsRestart(name), false, name);
  }
  // The last is restarted: so the others would have been by now, too.
  await supervisor.adopt(
    service(place.shell("planned", LOOP, { restart })),
    down(memory(1, true)),
  );
  await untilPasses(() => assert.equal(watcher.states("planned").at(-1), "running"));
  assert.deepEqual(watcher.states("gave_up"), []);
  assert.deepEqual(watcher.states("none"), []);
  assert.deepEqual(watcher.states("stopping"), ["stopping", "stopped"]);
  await supervisor.stop("planned");
  watcher.events.length = 0; // "stopping" was a registry's state before; alone, its story begins in the middle
});

Deno.test("adopt: keeps counting a crash loop", async () => {
  await using place = new Place();
  await using watcher = new Watcher({ random: () => 0 });
  const { supervisor } = watcher;
  const restart = { policy: "on-failure", maxRetries: 3, backoffMs: 1 } as const;
  const spec = (name: string) => service(place.shell(name, LOOP, { restart }));
  const restarts = memory(3, true);
  // Ended soon after its third restart, while nobody watched.
  await supervisor.adopt(spec("loop"), { running: true, upMs: 2_000, restarts });
  const [gaveUp] = watcher.of("gave_up");
  assert.deepEqual([gaveUp?.id, gaveUp?.attempts, gaveUp?.history.length], ["loop", 3, 4]);
  assert.match(watcher.of("state")[0]?.reason ?? "", /^crash loop, gave up after 3 restarts: /);
  assert.deepEqual(watcher.of("state")[0]?.restarts?.planned, false);
  // Ended after a long time: what was before is forgotten.
  await supervisor.adopt(spec("once"), { running: true, upMs: 3_600_000, restarts });
  await untilPasses(() => assert.equal(watcher.states("once").at(-1), "running"));
  assert.deepEqual(watcher.of("restart_scheduled").map((e) => [e.id, e.attempt]), [["once", 1]]);
  await supervisor.stop("once");
});

Deno.test("adopt: keeps a planned restart while unreachable", async () => {
  await using place = new Place();
  const executor = localExecutor();
  let answers = false;
  await using watcher = new Watcher({
    random: () => 0,
    executorFor: (host) =>
      answers
        ? Promise.resolve(executor)
        : Promise.reject(new HarnessError("unreachable", `Cannot reach ${host}`)),
  });
  const { supervisor } = watcher;
  const spec = place.shell("far", LOOP, { restart: { policy: "on-failure", backoffMs: 20 } });
  await assert.rejects(
    supervisor.adopt(service(spec, "far-host"), down(memory(1, true))),
    (error: unknown) => error instanceof HarnessError && error.code === "unreachable",
  );
  assert.ok(supervisor.awaitsRestart("far"));
  answers = true;
  await untilPasses(() => assert.deepEqual(watcher.states("far"), ["starting", "running"]));
  await supervisor.stop("far");
});

Deno.test("dispose: in the middle of a restart it counts no crash", async () => {
  await using place = new Place();
  const begun = Promise.withResolvers<void>();
  const events: SupervisorEvent[] = [];
  const spec = place.shell("api", LOOP, { restart: { policy: "on-failure", backoffMs: 1 } });
  {
    await using watcher = new Watcher({
      onEvent(event) {
        events.push(event);
        if (event.type === "state" && event.cause === "policy" && event.state === "starting") {
          begun.resolve();
        }
      },
    });
    await watcher.supervisor.watch(service(spec), { running: false });
    const { pid } = await watcher.supervisor.start("api");
    kill(pid);
    await begun.promise;
  }
  const states = events.flatMap((event) => event.type === "state" ? [event.state] : []);
  assert.deepEqual(states, ["starting", "running", "failed", "starting"]);
  assert.equal(events.filter((event) => event.type === "restart_scheduled").length, 1);
});

/** A service that has crashed, at the moment in which its report is under way: the report ends with `go`. */
async function crashBeingReported(place: Place, restart: { backoffMs: number }) {
  const reported = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const states: string[] = [];
  const watcher = new Watcher({
    async onEvent(event) {
      if (event.type !== "state") return;
      states.push(event.state);
      if (event.state !== "failed") return;
      reported.resolve();
      await go.promise;
    },
  });
  const { supervisor } = watcher;
  const spec = place.shell("api", LOOP, { restart: { policy: "always", ...restart } });
  await supervisor.watch(service(spec), { running: false });
  const { pid } = await supervisor.start("api");
  kill(pid);
  await reported.promise;
  return { supervisor, go, states, [Symbol.asyncDispose]: () => watcher[Symbol.asyncDispose]() };
}

Deno.test("stop: while a crash is reported, it cancels the restart", async () => {
  await using place = new Place();
  await using crash = await crashBeingReported(place, { backoffMs: 1 });
  const { supervisor, go, states } = crash;
  const stopped = supervisor.stop("api");
  go.resolve();
  assert.equal((await stopped).running, false);
  assert.equal(supervisor.awaitsRestart("api"), false);
  await supervisor.poll("local");
  assert.deepEqual(states, ["starting", "running", "failed"]);
});

Deno.test("unwatch: while a crash is reported, it plans nothing", async () => {
  await using place = new Place();
  // A pause that outlasts any test: an unwatch() that waits for it never ends.
  await using crash = await crashBeingReported(place, { backoffMs: 300_000 });
  const { supervisor, go, states } = crash;
  const unwatched = supervisor.unwatch("api");
  go.resolve();
  await unwatched;
  assert.equal(supervisor.awaitsRestart("api"), false);
  assert.deepEqual(states, ["starting", "running", "failed"]);
});

Deno.test("adopt: an end after a long run begins a new count", async () => {
  await using place = new Place();
  const restart = { policy: "on-failure", maxRetries: 3, backoffMs: 1 } as const;
  const spec = place.shell("api", LOOP, { restart });
  const long = { running: true, upMs: 3_600_000, restarts: memory(3, false) };
  let pid: number | null;
  {
    await using before = new Watcher();
    await before.supervisor.watch(service(spec), { running: false });
    ({ pid } = await before.supervisor.start("api"));
  }
  for (const answers of [true, false]) {
    let refuse = !answers;
    const executor = localExecutor();
    await using after = new Watcher({
      random: () => 0,
      executorFor: () =>
        refuse
          ? Promise.reject(new HarnessError("unreachable", "Cannot reach it"))
          : Promise.resolve(executor),
    });
    const { supervisor } = after;
    const adopted = supervisor.adopt(service(spec), { ...long, pid });
    if (answers) await adopted;
    else await assert.rejects(adopted, { code: "unreachable" });
    refuse = false;
    kill(pid);
    await untilPasses(() =>
      assert.deepEqual(after.states("api"), ["failed", "starting", "running"])
    );
    assert.deepEqual(after.of("restart_scheduled").map((e) => e.attempt), [1]);
    pid = after.of("state").at(-1)?.status?.pid ?? null;
    if (!answers) await supervisor.stop("api");
  }
});

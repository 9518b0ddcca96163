/** What a machine's watcher brings about, on any kind of machine. Polls are days apart: only a watcher can be the reason. */
import assert from "node:assert/strict";
import type { Executor } from "../../src/executor/executor.ts";
import { needs } from "../helpers/require.ts";
import { eventually, isAlive, kill, type MachineKind, pidsWith, Place } from "./fixture.ts";
import { LOOP, service, Watcher } from "./watcher.ts";

/** Longer than any test. */
const NEVER_MS = 1_000_000_000;
const NEVER = {
  localIntervalMs: NEVER_MS,
  remoteIntervalMs: NEVER_MS,
  watchedIntervalMs: NEVER_MS,
};

/** Text of every watcher's command line. */
const WATCHER = "h_new_marks";

/** Registers the cases for one kind of machine. */
export function registerHostWatcher(kind: MachineKind): void {
  const test = (name: string, fn: (place: Place, executor: Executor) => Promise<void>) =>
    Deno.test({
      name: `HostWatcher ${kind.name}: ${name}`,
      ignore: kind.component !== null && needs(kind.component),
      async fn() {
        await using place = new Place();
        await using machine = await kind.open(place);
        await fn(place, machine.executor);
      },
    });

  test("crashes are noticed without a poll", async (place, executor) => {
    const before = await pidsWith(WATCHER);
    {
      await using watcher = new Watcher({ ...NEVER, executorFor: () => Promise.resolve(executor) });
      const { supervisor } = watcher;
      for (const name of ["a", "b", "c"]) {
        const restart = { policy: "on-failure", backoffMs: 20 } as const;
        const spec = place.shell(name, LOOP, { restart });
        await supervisor.watch(service(spec, "far"), { running: false });
        await supervisor.start(name);
      }
      for (const name of ["b", "b", "c"]) {
        const states = watcher.states(name).length;
        kill((await (await supervisor.controller(name)).status()).pid);
        await eventually(() =>
          assert.deepEqual(watcher.states(name).slice(states), ["failed", "starting", "running"])
        );
      }
      assert.deepEqual(watcher.states("a"), ["starting", "running"]);
      for (const name of ["a", "b", "c"]) await supervisor.stop(name);
    }
    await eventually(async () => assert.deepEqual(await pidsWith(WATCHER), before));
  });

  test("starts by others are noticed without a poll", async (place, executor) => {
    await using mine = new Watcher({ ...NEVER, executorFor: () => Promise.resolve(executor) });
    await using other = new Watcher({ executorFor: () => Promise.resolve(executor) });
    for (const { supervisor } of [mine, other]) {
      await supervisor.watch(service(place.shell("api", LOOP), "far"), { running: false });
    }
    await other.supervisor.start("api");
    await eventually(() => assert.deepEqual(mine.states("api"), ["starting", "running"]));
    await other.supervisor.stop("api");
    await eventually(() => assert.equal(mine.states("api").at(-1), "stopped"));
  });

  test("without one, polls notice; a new one comes", async (place, executor) => {
    const before = await pidsWith(WATCHER);
    await using watcher = new Watcher({
      ...NEVER,
      remoteIntervalMs: 200,
      executorFor: () => Promise.resolve(executor),
    });
    const { supervisor } = watcher;
    await supervisor.watch(service(place.shell("api", LOOP), "far"), { running: false });
    const found = async () => (await pidsWith(WATCHER)).filter((pid) => !before.includes(pid));
    const first = await eventually(async () => {
      const pids = await found();
      assert.ok(pids.length > 0);
      return pids;
    });
    const { pid } = await supervisor.start("api");
    for (const each of first) {
      if (await isAlive(each)) kill(each);
    }
    kill(pid);
    await eventually(() => assert.equal(watcher.states("api").at(-1), "failed"));
    await eventually(async () => assert.ok((await found()).some((each) => !first.includes(each))));
  });
}

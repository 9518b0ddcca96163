/** What a machine's watcher brings about, on any kind of machine. Polls are days apart: only a watcher can be the reason. */
import assert from "node:assert/strict";
import type { Executor } from "../../src/executor/executor.ts";
import { needs } from "../helpers/require.ts";
import { kill, type Machine, type MachineKind, Place } from "./fixture.ts";
import { LOOP, service, Watcher } from "./watcher.ts";
import { untilPasses } from "../helpers/raw_client.ts";

/** Longer than any test. */
export const NEVER_MS = 1_000_000_000;

const NEVER = {
  localIntervalMs: NEVER_MS,
  remoteIntervalMs: NEVER_MS,
  watchedIntervalMs: NEVER_MS,
};

/** A variable that the watchers of one test have, and no service. */
const MARK = "HARNESS_TEST_PLACE";

/** The executor whose watchers {@linkcode watchersOf} finds; each answer of one is told to `onAnswer`. */
export function marked(
  executor: Executor,
  place: Place,
  onAnswer: () => void = () => {},
): () => Promise<Executor> {
  const found: Executor = {
    host: executor.host,
    run: (command, options = {}) => {
      if (!("name" in command) || command.name !== "host_watch") {
        return executor.run(command, options);
      }
      const onStdout = (chunk: Uint8Array) => {
        options.onStdout?.(chunk);
        onAnswer();
      };
      return executor.run(command, { ...options, onStdout, env: { [MARK]: place.dir } });
    },
    [Symbol.asyncDispose]: () => executor[Symbol.asyncDispose](),
  };
  return () => Promise.resolve(found);
}

/** All processes of the watchers of a test. */
export async function watchersOf(place: Place): Promise<number[]> {
  const pids: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await Deno.readTextFile(`/proc/${name}/environ`).catch(() => "");
    if (environment.split("\0").includes(`${MARK}=${place.dir}`)) pids.push(Number(name));
  }
  return pids;
}

/** Registers the cases for one kind of machine. */
export function registerHostWatcher(kind: MachineKind): void {
  const test = (name: string, fn: (place: Place, machine: Machine) => Promise<void>) =>
    Deno.test({
      name: `HostWatcher ${kind.name}: ${name}`,
      ignore: kind.component !== null && needs(kind.component),
      async fn() {
        await using place = new Place();
        await using machine = await kind.open(place);
        await fn(place, machine);
      },
    });

  test("a crash is noticed without a poll", async (place, { executor }) => {
    {
      await using watcher = new Watcher({ ...NEVER, executorFor: marked(executor, place) });
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
        await untilPasses(() =>
          assert.deepEqual(watcher.states(name).slice(states), ["failed", "starting", "running"])
        );
      }
      assert.deepEqual(watcher.states("a"), ["starting", "running"]);
      for (const name of ["a", "b", "c"]) await supervisor.stop(name);
    }
    await untilPasses(async () => assert.deepEqual(await watchersOf(place), []));
  });

  test("a start by others is noticed without a poll", async (place, { executor }) => {
    const watching = Promise.withResolvers<void>();
    const executorFor = marked(executor, place, watching.resolve);
    await using mine = new Watcher({ ...NEVER, executorFor });
    await using other = new Watcher({ executorFor: () => Promise.resolve(executor) });
    for (const { supervisor } of [mine, other]) {
      await supervisor.watch(service(place.shell("api", LOOP), "far"), { running: false });
    }
    // Only what changes while it is watched is a change: the list has been taken.
    await watching.promise;
    await other.supervisor.start("api");
    await untilPasses(() => assert.deepEqual(mine.states("api"), ["starting", "running"]));
    await other.supervisor.stop("api");
    await untilPasses(() => assert.equal(mine.states("api").at(-1), "stopped"));
  });

  test("without one, polls notice; a new one comes", async (place, { executor }) => {
    await using watcher = new Watcher({
      ...NEVER,
      remoteIntervalMs: 200,
      executorFor: marked(executor, place),
    });
    const { supervisor } = watcher;
    await supervisor.watch(service(place.shell("api", LOOP), "far"), { running: false });
    const first = await untilPasses(async () => {
      const pids = await watchersOf(place);
      assert.ok(pids.length > 0);
      return pids;
    });
    const { pid } = await supervisor.start("api");
    for (const each of await watchersOf(place)) kill(each);
    kill(pid);
    await untilPasses(() => assert.equal(watcher.states("api").at(-1), "failed"));
    await untilPasses(async () => {
      assert.ok((await watchersOf(place)).some((each) => !first.includes(each)));
    });
  });

  test("ends with its connection", async (place, machine) => {
    await using watcher = new Watcher({ ...NEVER, executorFor: marked(machine.executor, place) });
    const { supervisor } = watcher;
    await supervisor.watch(service(place.shell("api", LOOP), "far"), { running: false });
    await untilPasses(async () => assert.ok((await watchersOf(place)).length > 0));
    await machine.executor[Symbol.asyncDispose]();
    await untilPasses(async () => assert.deepEqual(await watchersOf(place), []));
  });
}

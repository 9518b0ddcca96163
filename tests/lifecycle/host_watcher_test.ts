import assert from "node:assert/strict";
import type { Executor, RunOptions, RunResult } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { LOCAL, Place } from "./fixture.ts";
import { NEVER_MS, registerHostWatcher } from "./host_watcher_cases.ts";
import { LOOP, service, Watcher } from "./watcher.ts";
import loop from "../../src/lifecycle/supervisor/host_watch_loop.sh" with { type: "text" };
import { untilPasses } from "../helpers/raw_client.ts";

registerHostWatcher(LOCAL);

/** A list as the server sends it. */
function list(...lines: string[]): string {
  return ["", ...lines, `end ${lines.join("").length}`, ""].join("\n");
}

/** Runs the loop alone: what it is sent, and what it prints. */
class Loop {
  #printed = "";
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly #executor = localExecutor();
  readonly ended: Promise<RunResult>;

  constructor(shell: readonly [string, ...string[]], tick: string) {
    const stdin = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
    });
    const onStdout = (chunk: Uint8Array) => {
      this.#printed += new TextDecoder().decode(chunk);
    };
    this.ended = this.#executor.run({ argv: [...shell, "-c", `h_tick=${tick}\n${loop}`] }, {
      stdin,
      onStdout,
    });
  }

  send(text: string): void {
    this.#printed = "";
    this.#controller?.enqueue(new TextEncoder().encode(text));
  }

  async prints(line: string): Promise<void> {
    await untilPasses(() => assert.ok(this.#printed.split("\n").includes(line), this.#printed));
  }

  end(): void {
    this.#controller?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#executor[Symbol.asyncDispose]();
    await this.ended.catch(() => undefined);
  }
}

for (const [by, tick, shell] of [["read", "0.25", "bash"], ["sleep", "", "sh"]] as const) {
  Deno.test(`host_watch_loop: by ${by}, as asked`, async () => {
    await using place = new Place();
    await using loop = new Loop([shell], tick);
    const sleeper = new Deno.Command("sleep", { args: ["9999"] }).spawn();
    const pidFile = place.path("api.pid");
    const link = place.path("unit's link");
    const lines = [`1\tpid\t${sleeper.pid}`, `2\tpid_file\t${pidFile}`, `3\tlink\t${link}`];
    loop.send(list(...lines));
    await loop.prints(".");
    Deno.writeTextFileSync(pidFile, `${sleeper.pid}\nstart=1\n`);
    await loop.prints("2");
    Deno.symlinkSync("gone", link);
    await loop.prints("3");
    loop.send(list(...lines));
    await loop.prints(".");
    sleeper.kill();
    await sleeper.status;
    await loop.prints("1");
    await loop.prints("2");
    Deno.removeSync(link);
    await loop.prints("3");
    loop.send(list());
    await loop.prints(".");
    loop.end();
    assert.equal((await loop.ended).exitCode, 0);
  });

  Deno.test(`host_watch_loop: by ${by}, without the empty line`, async () => {
    // As where bash loses it because it comes just at the limit of a read.
    await using loop = new Loop([shell], tick);
    const lines = [`1\tpid\t${Deno.pid}`, `2\tpid_file\t/gone`];
    for (let sent = 0; sent < 2; sent++) {
      loop.send(list(...lines).slice(1));
      await loop.prints(".");
    }
    loop.end();
    assert.equal((await loop.ended).exitCode, 0);
  });

  Deno.test(`host_watch_loop: by ${by}, between two lists`, async () => {
    await using place = new Place();
    await using loop = new Loop([shell], tick);
    const [file, other] = [place.path("api.pid"), place.path("other.pid")];
    loop.send(list(`1\tpid_file\t${file}`));
    await loop.prints(".");
    Deno.writeTextFileSync(file, `${Deno.pid}\n`);
    loop.send(list(`1\tpid_file\t${file}`, `2\tpid_file\t${other}`));
    await loop.prints("1");
    loop.end();
    assert.equal((await loop.ended).exitCode, 0);
  });

  Deno.test(`host_watch_loop: by ${by}, no part of a list`, async () => {
    await using loop = new Loop([shell], tick);
    loop.send("\n1\tpid\t1\nend 9\n");
    await loop.ended;
  });
}

/** An executor whose watcher does what `watch` does; everything else is real. */
function withWatcher(
  executor: Executor,
  watch: (options: RunOptions) => Promise<RunResult>,
): { executor: Executor; counts: { watchers: number; polls: number } } {
  const counts = { watchers: 0, polls: 0 };
  const made: Executor = {
    host: executor.host,
    run: (command, options = {}) => {
      const name = "name" in command ? command.name : "";
      if (name === "host_status") counts.polls++;
      if (name !== "host_watch") return executor.run(command, options);
      counts.watchers++;
      return watch(options);
    },
    [Symbol.asyncDispose]: () => executor[Symbol.asyncDispose](),
  };
  return { executor: made, counts };
}

/** Never resolves; rejects when the command is killed. */
function untilKilled({ signal }: RunOptions): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason));
  });
}

Deno.test("HostWatcher: a liar causes few polls", async () => {
  await using place = new Place();
  await using local = localExecutor();
  let hints = 0;
  const { executor, counts } = withWatcher(local, async (options) => {
    const lie = setInterval(() => {
      hints++;
      options.onStdout?.(new TextEncoder().encode("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n"));
    }, 20);
    const stdin = options.stdin as ReadableStream<Uint8Array>;
    const reading = (async () => {
      for await (const _ of stdin);
    })();
    try {
      return await Promise.race([untilKilled(options), reading.then(() => ({} as RunResult))]);
    } finally {
      clearInterval(lie);
    }
  });
  const begun = performance.now();
  await using watcher = new Watcher({
    executorFor: () => Promise.resolve(executor),
    remoteIntervalMs: NEVER_MS,
    watchedIntervalMs: NEVER_MS,
  });
  await watcher.supervisor.watch(service(place.shell("api", LOOP), "far"), { running: false });
  await untilPasses(() => assert.ok(counts.polls >= 10));
  const before = hints;
  await untilPasses(() => assert.ok(hints >= before + 100));
  const most = 11 + (performance.now() - begun) / 5_000;
  assert.ok(counts.polls <= most, `${counts.polls} polls, at most ${most}`);
});

Deno.test("HostWatcher: one that floods is ended and not replaced", async () => {
  await using place = new Place();
  await using local = localExecutor();
  const chunk = new TextEncoder().encode("1\n".repeat(1024));
  let printed = 0;
  const { executor, counts } = withWatcher(local, async (options) => {
    const killed = untilKilled(options);
    while (!options.signal?.aborted) {
      options.onStdout?.(chunk);
      printed += chunk.length;
    }
    return await killed;
  });
  await using watcher = new Watcher({
    executorFor: () => Promise.resolve(executor),
    remoteIntervalMs: 20,
    watchedIntervalMs: NEVER_MS,
  });
  await watcher.supervisor.watch(service(place.shell("api", LOOP), "far"), { running: false });
  await untilPasses(() => assert.ok(counts.polls >= 5));
  assert.ok(counts.watchers <= 2, `${counts.watchers} watchers for ${counts.polls} polls`);
  assert.ok(printed <= counts.watchers * 70_000, `${printed} bytes were taken`);
});

/** How soon the crash of a service on another machine is noticed, and how many processes that costs there. */
import { connectSsh } from "../../../src/executor/ssh/connect.ts";
import type { Executor } from "../../../src/executor/executor.ts";
import { localExecutor } from "../../../src/executor/local.ts";
import { Supervisor } from "../../../src/lifecycle/supervisor/supervisor.ts";
import { type Sshd, startSshd } from "../../helpers/sshd.ts";
import { Place } from "../../lifecycle/fixture.ts";
import { atOnce, type Figures, type Row, type Tool } from "../row.ts";
import type { Scope } from "../scope.ts";
import { median } from "../stats.ts";

const SERVICES = 20;
const STRACE: Tool = { commands: ["strace"], install: "apt-get install strace" };
/** Three polls without a watcher, one with it. */
const COUNTED_S = 15;

/** All processes of connections to an sshd. */
async function sessions(scope: Scope, sshd: number): Promise<string[]> {
  const children = new Map<string, string[]>();
  for (const line of (await scope.run("ps", ["-A", "-o", "pid=,ppid="])).trim().split("\n")) {
    const [pid = "", parent = ""] = line.trim().split(/\s+/);
    children.set(parent, [...children.get(parent) ?? [], pid]);
  }
  const found = [`${sshd}`];
  for (const pid of found) found.push(...children.get(pid) ?? []);
  return found;
}

/** An executor with another way to run the watcher. */
function withWatcher(executor: Executor, watch: Executor["run"]): Executor {
  return {
    host: executor.host,
    run: (command, options) =>
      "name" in command && command.name === "host_watch"
        ? watch(command, options)
        : executor.run(command, options),
    [Symbol.asyncDispose]: () => executor[Symbol.asyncDispose](),
  };
}

/** The services of a machine under supervision over SSH. */
class Supervised implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #failed = new Map<string, (at: number) => void>();
  readonly #pids = new Map<string, number>();
  #sshd: Sshd | undefined;
  #turn = 0;

  /** `services` of them; without `watched` the machine refuses its watcher, and polls are all there is. */
  static async start(services: number, watched: boolean): Promise<Supervised> {
    const made = new Supervised();
    const place = made.#stack.use(new Place());
    const sshd = made.#sshd = made.#stack.use(await startSshd());
    const { host, port, user, identityFile, knownHostsFile } = sshd;
    const ssh = made.#stack.use(
      await connectSsh({ host, port, user, identityFile }, {
        knownHostsFiles: [knownHostsFile],
        sshConfigFile: null,
        agentSocket: null,
      }),
    );
    const watching = Promise.withResolvers<void>();
    const executor = withWatcher(ssh, (command, options = {}) => {
      if (!watched) return Promise.reject(new Error("this machine is polled only"));
      const onStdout = (chunk: Uint8Array) => {
        watching.resolve();
        options.onStdout?.(chunk);
      };
      return ssh.run(command, { ...options, onStdout });
    });
    const supervisor = made.#stack.use(
      new Supervisor({
        executorFor: () => Promise.resolve(executor),
        onEvent: (event) => {
          if (event.type !== "state") return;
          if (event.state === "failed") made.#failed.get(event.id)?.(performance.now());
          if (event.state === "running") made.#pids.set(event.id, event.status?.pid ?? 0);
        },
      }),
    );
    // Started beside: what the services do is not counted.
    const local = made.#stack.use(localExecutor());
    const starter = new Supervisor({
      executorFor: () => Promise.resolve(local),
      onEvent: () => {},
      settleMs: 100,
    });
    await Promise.all(Array.from({ length: services }, async (_, n) => {
      const spec = place.spec(`service-${n}`, ["/bin/sleep", "9999"], {
        restart: { policy: "always", backoffMs: 100, maxRetries: 1000 },
      });
      const service = { id: spec.name, spec, host: "far", systemd: false };
      await starter.watch(service, { running: false });
      await starter.start(service.id);
      const { pid } = await supervisor.adopt(service, { running: true });
      made.#pids.set(service.id, pid ?? 0);
    }));
    await starter[Symbol.asyncDispose]();
    if (watched) await watching.promise;
    return made;
  }

  /** Milliseconds from a SIGKILL to the event. */
  async crash(): Promise<number> {
    const id = `service-${this.#turn++ % SERVICES}`;
    // At any moment between two polls.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 1000));
    const failed = Promise.withResolvers<number>();
    this.#failed.set(id, failed.resolve);
    const begun = performance.now();
    Deno.kill(this.#pids.get(id) || -1, "SIGKILL");
    return await failed.promise - begun;
  }

  /** Processes that are started in a second on the machine, for the server. */
  async forks(scope: Scope): Promise<number> {
    const file = scope.path("forks");
    const pids = await sessions(scope, this.#sshd?.pid ?? -1);
    const calls = "trace=clone,clone3,fork,vfork";
    const child = new Deno.Command("strace", {
      args: ["-f", "-qq", "-e", calls, "-o", file, ...pids.flatMap((pid) => ["-p", pid])],
      stderr: "null",
    }).spawn();
    await new Promise((resolve) => setTimeout(resolve, COUNTED_S * 1000));
    child.kill("SIGINT");
    await child.status;
    const text = await Deno.readTextFile(file);
    return [...text.matchAll(/^\d+ +(?:<\.\.\. )?(?:clone3?|v?fork)\b.* = [1-9]\d*$/gm)].length /
      COUNTED_S;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

async function crashes(supervised: Supervised, count: number): Promise<Figures> {
  const times: number[] = [];
  for (let n = 0; n < count; n++) times.push(await supervised.crash());
  return { median_ms: median(times), max_ms: Math.max(...times) };
}

/** Row 15. */
export const rows: readonly Row[] = [{
  number: 15,
  name: "crash",
  limit: "a look at every process four times a second, and one command that finds out how it ended",
  targets: [
    {
      title: "crash of one of 20 services, over SSH",
      unit: "ms",
      figure: "ours.median_ms",
      atMost: 1000,
    },
    {
      title: "… the slowest of all",
      unit: "ms",
      figure: "ours.max_ms",
      atMost: 1000,
      takes: "worst",
    },
    {
      title: "… beside polls every 5 s",
      unit: "ms",
      figure: "ours.median_ms",
      peer: "polls.median_ms",
    },
    {
      title: "processes started there, 20 services",
      unit: "/s",
      figure: "ours, processes.of_20",
      peer: "polls, processes.of_20",
      atMost: 1,
    },
    {
      title: "… 1 service",
      unit: "/s",
      figure: "ours, processes.of_1",
      peer: "polls, processes.of_1",
      atMost: 1,
    },
  ],
  async setUp(scope, stack) {
    const start = async (services: number, watched: boolean) =>
      stack.use(await Supervised.start(services, watched));
    const [ours, one] = [await start(SERVICES, true), await start(1, true)];
    const [polls, onePolls] = [await start(SERVICES, false), await start(1, false)];
    const counted = async (of20: Supervised, of1: Supervised): Promise<Figures> => {
      const [of_20, of_1] = await Promise.all([of20.forks(scope), of1.forks(scope)]);
      return { of_20, of_1 };
    };
    const [oursCounted, pollsCounted] = atOnce(
      () => counted(ours, one),
      () => counted(polls, onePolls),
    );
    return [
      { name: "ours, processes", needs: STRACE, rounds: 1, measure: oursCounted },
      { name: "polls, processes", needs: STRACE, rounds: 1, measure: pollsCounted },
      { name: "ours", measure: () => crashes(ours, 3) },
      { name: "polls", rounds: 1, measure: () => crashes(polls, 2) },
    ];
  },
}];

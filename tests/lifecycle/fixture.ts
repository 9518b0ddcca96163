/** A temporary place for services, specs for it, and executors to reach it by. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Executor } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { connectSsh } from "../../src/executor/ssh/connect.ts";
import type { HealthSpec, RestartSpec } from "../../src/package/manifest/manifest.ts";
import { createController } from "../../src/lifecycle/controller.ts";
import type { ServiceSpec, SpecExecution } from "../../src/lifecycle/service_spec.ts";
import { removeTree } from "../helpers/remove_tree.ts";
import { startSshd } from "../helpers/sshd.ts";
import { has } from "../helpers/require.ts";
import { untilPasses } from "../helpers/raw_client.ts";

type ProcessExecution = Extract<SpecExecution, { type: "managed_process" }>;

/** What may differ from a plain foreground process. */
export interface SpecOptions
  extends Partial<Omit<ServiceSpec, "execution" | "health" | "restart">> {
  execution?: Partial<ProcessExecution>;
  health?: HealthSpec | null;
  restart?: Partial<RestartSpec>;
}

/** A directory for one test. Whatever was started in it is killed when it is disposed of. */
export class Place implements AsyncDisposable {
  readonly dir: string;

  constructor(parent?: string) {
    this.dir = Deno.makeTempDirSync({
      prefix: "harness-lifecycle-",
      ...(parent ? { dir: parent } : {}),
    });
    // An ordinary user's service has to get at its working directory.
    Deno.chmodSync(this.dir, 0o755);
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  /** Writes an executable script. */
  script(name: string, text: string, mode = 0o755): string {
    const path = this.path(name);
    Deno.writeTextFileSync(path, text);
    Deno.chmodSync(path, mode);
    return path;
  }

  spec(name: string, argv: readonly [string, ...string[]], options: SpecOptions = {}): ServiceSpec {
    const { execution, restart, health, ...rest } = options;
    return {
      name,
      version: "1.0.0",
      execution: {
        type: "managed_process",
        argv,
        start: "foreground",
        stopArgv: null,
        reloadArgv: null,
        user: null,
        ...execution,
      },
      workDir: this.dir,
      envFile: null,
      runDir: this.path("run"),
      logDir: this.path("log"),
      ports: [],
      health: health ?? null,
      restart: { policy: "no", maxRetries: 3, backoffMs: 50, ...restart },
      stop: { signal: "TERM", timeoutMs: 3000 },
      ...rest,
    };
  }

  /** A spec of `sh -c script`. */
  shell(name: string, script: string, options: SpecOptions = {}): ServiceSpec {
    return this.spec(name, ["/bin/sh", "-c", script], options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of await this.#strays()) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // Gone by itself in the meantime.
      }
    }
    await untilPasses(async () => assert.deepEqual(await this.#strays(), []));
    await removeTree(this.dir);
  }

  /** Processes whose command line or working directory is in this place, or whose run was started here. */
  async #strays(): Promise<number[]> {
    const pids: number[] = [];
    for await (const { name } of Deno.readDir("/proc")) {
      const pid = Number(name);
      if (!Number.isInteger(pid) || pid === Deno.pid) continue;
      const [args, cwd] = await Promise.all([
        Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => ""),
        Deno.readLink(`/proc/${pid}/cwd`).catch(() => ""),
      ]);
      if (args.includes(this.dir) || cwd === this.dir) pids.push(pid);
    }
    return pids;
  }
}

/** A health spec that checks often. */
export function health(probe: HealthSpec["probe"], options: Partial<HealthSpec> = {}): HealthSpec {
  return {
    probe,
    intervalMs: 100,
    timeoutMs: 30_000,
    retries: 3,
    successes: 1,
    startPeriodMs: 0,
    ...options,
  };
}

/** Text for a script: waits until the test lets it end by {@linkcode Gate.open}, each time anew. */
export class Gate {
  readonly #path: string;
  /** What the script says to wait. */
  readonly wait: string;

  constructor(place: Place, name = "gate") {
    this.#path = place.path(name);
    this.wait = `until rm '${this.#path}' 2>/dev/null; do sleep 0.05; done`;
  }

  /** Lets one run go on. */
  open(): void {
    Deno.writeTextFileSync(this.#path, "");
  }
}

/** Whether a process is there and not a zombie. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => null);
  if (stat === null) return false;
  return !["Z", "X"].includes(stat.slice(stat.lastIndexOf(")") + 2)[0] ?? "");
}

/** Kills a process that must be known: pid 0 would be this test run and everything around it. */
export function kill(pid: number | null | undefined): void {
  assert.ok(typeof pid === "number" && pid > 1, `there is no process ${pid}`);
  Deno.kill(pid, "SIGKILL");
}

/** Pids of the live processes whose command line contains `text`. */
export async function pidsWith(text: string): Promise<number[]> {
  const pids: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === Deno.pid) continue;
    const args = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
    if (args.includes(text) && await isAlive(pid)) pids.push(pid);
  }
  return pids;
}

/** A way to reach a machine. */
export interface Machine extends AsyncDisposable {
  readonly executor: Executor;
}

/** This machine, directly. */
export function localMachine(): Promise<Machine> {
  const executor = localExecutor();
  return Promise.resolve({
    executor,
    [Symbol.asyncDispose]: () => executor[Symbol.asyncDispose](),
  });
}

/** This machine, through a real sshd. */
export async function sshMachine(): Promise<Machine> {
  const sshd = await startSshd();
  try {
    const { host, port, user, identityFile, knownHostsFile } = sshd;
    const executor = await connectSsh({ host, port, user, identityFile }, {
      knownHostsFiles: [knownHostsFile],
      sshConfigFile: null,
      agentSocket: null,
    });
    return {
      executor,
      async [Symbol.asyncDispose]() {
        await executor[Symbol.asyncDispose]();
        await sshd[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await sshd[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * This machine with nothing on its PATH but BusyBox: what a minimal machine has. Commands run in BusyBox's own shell,
 * and it does not count as local, so that probes go through commands.
 */
export function busyboxMachine(place: Place): Promise<Machine> {
  const bin = place.path("busybox-bin");
  Deno.mkdirSync(bin);
  const io = { stdout: "null", stderr: "null" } as const;
  new Deno.Command("busybox", { args: ["--install", "-s", bin], ...io }).outputSync();
  const local = localExecutor();
  const executor: Executor = {
    host: "busybox",
    run: (command, options = {}) =>
      local.run(
        "argv" in command ? command : {
          argv: [`${bin}/sh`, "-c", command.script, "sh", ...(command.args ?? [])],
        },
        { ...options, env: { ...options.env, PATH: bin } },
      ),
    [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
  };
  return Promise.resolve({
    executor,
    [Symbol.asyncDispose]: () => executor[Symbol.asyncDispose](),
  });
}

/** A kind of machine that tests run over, with the component it needs. */
export interface MachineKind {
  name: string;
  component: "sshd" | "busybox" | null;
  open: (place: Place) => Promise<Machine>;
}

/** The machines that a suite runs over; the first one needs nothing. */
export const MACHINES: readonly [MachineKind, ...MachineKind[]] = [
  { name: "locally", component: null, open: localMachine },
  { name: "over ssh", component: "sshd", open: sshMachine },
  { name: "with BusyBox alone", component: "busybox", open: busyboxMachine },
];

/** What quick tests run over, and what is left to system tests. */
export const [LOCAL, ...REMOTES] = MACHINES;

/** The controller without systemd, whatever PID 1 is: tests never touch this machine's units. */
export function processController(
  machine: Machine,
  spec: ServiceSpec,
  { settleMs = 100 }: { settleMs?: number } = {},
): ReturnType<typeof createController> {
  return createController(machine.executor, spec, { systemd: false, settleMs });
}

/** For a program that ends by itself: its start is waited for until then, however busy the machine is. */
export const UNTIL_ITS_END = { settleMs: 30_000 };

/** A user that is not us, for tests as root: `nobody`; as an ordinary user there is none to switch to. */
export function otherUser(): string | null {
  return has("root") ? "nobody" : null;
}

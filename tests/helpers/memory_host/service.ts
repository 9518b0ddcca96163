/** The services of a simulated host: what a control script would do, without processes. */
import { type Io, readAll, untilKilled } from "./executor.ts";

/** How the program of a release behaves. */
export interface Program {
  /** Exit code with which it ends at once; left out, it goes on running. */
  exits?: number;
  /** Lines that it writes to its log when it starts. */
  log?: readonly string[];
  /** What its health script prints and its exit code; `"hangs"` never ends. @default {[0, "ok"]} */
  health?: readonly [code: number, says: string] | "hangs";
}

/** A run of a release. */
interface Run {
  id: string;
  pid: number;
  dir: string;
  version: string;
  /** How it ended, or `null` while it runs. */
  ended: { code: number; asked: boolean } | null;
}

/** All services of a host, by the directory of their pid file. */
export class MemoryServices {
  /** Programs by version; one that is not there runs well. */
  readonly programs = new Map<string, Program>();
  readonly #runs = new Map<string, Run>();
  readonly #readEnv: (path: string) => string;
  #pid = 1000;

  /** Services whose env files `readEnv` reads. */
  constructor(readEnv: (path: string) => string) {
    this.#readEnv = readEnv;
  }

  /** The versions that run below the bookkeeping directory `base`. */
  running(base: string): string[] {
    return [...this.#runs].filter(([runDir, run]) =>
      runDir.startsWith(`${base}/`) && run.ended === null
    ).map(([, run]) => run.version);
  }

  /** Starts a release; what a watchdog does on the host itself. */
  start(runDir: string, dir: string, envFile: string): Run {
    const version = /^HARNESS_VERSION='(.*)'$/m.exec(this.#readEnv(envFile))?.[1] ?? "?";
    const pid = ++this.#pid;
    const { exits } = this.#program(version);
    const ended = exits === undefined ? null : { code: exits, asked: false };
    const run: Run = { id: crypto.randomUUID(), pid, dir, version, ended };
    this.#runs.set(runDir, run);
    return run;
  }

  /** Ends a release, as somebody asks for it or by itself. */
  end(runDir: string, how: { code: number; asked: boolean }): void {
    const run = this.#runs.get(runDir);
    if (run !== undefined) run.ended ??= how;
  }

  /** Whether it runs. */
  isRunning(runDir: string): boolean {
    return this.#runs.get(runDir)?.ended === null;
  }

  /** The control scripts by name, each with the arguments of its command. */
  readonly scripts: Readonly<Record<string, (args: string[], io: Io) => Promise<number> | number>> =
    {
      "process/start": ([runDir = "", , , , , , dir = "", envFile = ""], io) => {
        const there = this.#runs.get(runDir);
        const run = there?.ended === null ? there : this.start(runDir, dir, envFile);
        if (run.ended === null) return say(io, `@harness running ${run.pid} ${run.id} ${run.dir}`);
        return say(io, `@harness exited ${run.ended.code}`, ...this.#log(run));
      },
      "process/stop": ([runDir = ""], io) => {
        const run = this.#runs.get(runDir);
        if (run === undefined) return say(io, "@harness stopped none no");
        this.end(runDir, { code: 143, asked: true });
        return say(io, `@harness stopped ${run.ended?.code} no`);
      },
      "process/status": ([runDir = ""], io) => {
        const run = this.#runs.get(runDir);
        if (run === undefined) return say(io, "none");
        if (run.ended === null) return say(io, `running ${run.pid} ${run.id} ${run.dir}`);
        return say(io, `ended ${run.ended.code} ${run.ended.asked ? "yes" : "no"}`);
      },
      "process/occupant": ([, , runs = ""], io) => {
        const run = [...this.#runs].find(([runDir, { ended }]) =>
          runDir.startsWith(`${runs}/`) && ended === null
        )?.[1];
        if (run === undefined) return say(io, "@harness nobody");
        return say(io, `@harness occupant ${run.pid} ${run.id} ${run.dir}`);
      },
      "process/run_tail": ([pidFile = "", , , , lines = ""], io) => {
        const run = this.#runs.get(pidFile.replace(/\/[^/]*$/, ""));
        return say(io, ...run === undefined ? [] : this.#log(run).slice(-Number(lines)));
      },
      "health/script": async ([dir = ""], io) => {
        await readAll(io.stdin);
        const run = [...this.#runs.values()].find((r) => r.dir === dir);
        const { health = [0, "ok"] as const } = this.#program(run?.version ?? "?");
        if (health === "hangs") {
          await untilKilled(io);
          return 1;
        }
        say(io, health[1]);
        return health[0];
      },
      "health/clear": () => 0,
      "systemd/detect": () => 1,
      "secrets": (files, io) => say(io, ...files.map(this.#readEnv)),
    };

  #program(version: string): Program {
    return this.programs.get(version) ?? {};
  }

  #log(run: Run): string[] {
    return [...this.#program(run.version).log ?? []];
  }
}

/** Prints lines; the exit code of a script that has nothing else to do. */
export function say(io: Io, ...lines: string[]): number {
  for (const line of lines) io.stdout.write(`${line}\n`);
  return 0;
}

/**
 * A host in memory: its files, locks, releases, links and services, as the scripts of a deployment see and change them.
 *
 * Commands are told apart by their names and read by their arguments, never by the text of a script. That it behaves as
 * a real host does is shown by tests/deploy/host_contract_system_test.ts.
 */
import { HarnessError } from "../../../src/errors.ts";
import type { HostScript } from "../../../src/deploy/host/command.ts";
import type { HostTarget } from "../../../src/deploy/plan.ts";
import { type HostState, stateText, undone } from "../../../src/deploy/host/state.ts";
import type { Command, Executor } from "../../../src/executor/executor.ts";
import { type Io, MemoryExecutor, readAll, runProgram } from "./executor.ts";
import { MemoryServices, type Program, say } from "./service.ts";

interface Lock {
  token: string;
  expires: number;
  ttl: number;
  deployment: string;
  since: string;
  owner: string;
}

/** The bookkeeping of one service. */
interface Base {
  lock: Lock | null;
  state: string | null;
  recover: string | null;
  current: string | null;
  env: string | null;
  envs: Map<string, string>;
  /** Uploads by token. */
  staging: Map<string, Uint8Array<ArrayBuffer>>;
}

/** What a script works with. */
interface Call {
  base: Base;
  path: string;
  token: string;
  args: string[];
  io: Io;
}

/** A script that ends early, as `d_refuse` does. */
class Refusal extends Error {}

function refuse(code: string, why: string): never {
  throw new Refusal(`@refused ${code} ${why}`);
}

/** A simulated host. */
export class MemoryHost {
  /** How people call it. */
  readonly name: string;
  /** Commands that are installed. */
  readonly commands = new Set(["sh", "tar", "gzip", "sha256sum", "awk", "fold"]);
  /** Directories of releases. */
  readonly releases = new Set<string>();
  /** Packages by digest. */
  readonly cache = new Map<string, Uint8Array<ArrayBuffer>>();
  /** Names of all scripts and programs that were run, in order. */
  readonly log: string[] = [];
  readonly services: MemoryServices;
  /** Free space in the install root. */
  freeBytes = 1e12;
  /** Whether a new connection comes about. */
  reachable = true;
  readonly #bases = new Map<string, Base>();
  /** Seconds since its boot. */
  #uptime = 0;

  constructor(name = "here") {
    this.name = name;
    this.services = new MemoryServices((path) => {
      const at = path.lastIndexOf("/envs/");
      return this.#base(path.slice(0, at)).envs.get(path.slice(at + 6)) ?? "";
    });
  }

  /** This host as a target. */
  target(more: Partial<HostTarget> = {}): HostTarget {
    return { label: this.name, connect: () => this.connect(), ...more };
  }

  /** A connection. */
  connect(): Promise<Executor> {
    if (!this.reachable) {
      return Promise.reject(
        new HarnessError("unreachable", `Cannot connect to ${this.name}: refused`, {
          details: { host: this.name, step: "connect", reason: "refused" },
        }),
      );
    }
    return Promise.resolve(new MemoryExecutor(this.name, (command, io) => this.#run(command, io)));
  }

  /** Programs by version. */
  get programs(): Map<string, Program> {
    return this.services.programs;
  }

  /** The record of a service. */
  state(base: string): HostState | null {
    return JSON.parse(this.#base(base).state ?? "null");
  }

  /** What a deployment would leave. */
  leftovers(base: string): string[] {
    const { lock, recover } = this.#base(base);
    // Staging is made with the lock and removed with it.
    return [
      ...lock === null ? [] : ["lock"],
      ...recover === null ? [] : ["recover.sh"],
      ...lock === null ? [] : ["staging"],
    ];
  }

  /** What `current` points to. */
  current(base: string): string | null {
    return this.#base(base).current;
  }

  /** Lets time pass: the watchdogs of locks that run out do their work. */
  pass(seconds: number): void {
    this.#uptime += seconds;
    for (const base of this.#bases.values()) {
      if (base.lock === null || !this.#isStale(base.lock)) continue;
      this.#recover(base);
      base.staging.clear();
      base.lock = null;
    }
  }

  async #run(command: Command, io: Io): Promise<number> {
    const name = "argv" in command ? command.argv[0] : command.name ?? "";
    this.log.push(name);
    if ("argv" in command) return await runProgram(command.argv, io);
    return await this.#script(name, [...command.args ?? []], io);
  }

  async #script(name: string, args: string[], io: Io): Promise<number> {
    const service = this.services.scripts[name];
    if (service !== undefined) return await service(args, io);
    const deploy = /^deploy\/(.*)$/.exec(name)?.[1] as HostScript | undefined;
    if (deploy === undefined) throw new Error(`the memory host does not know the script "${name}"`);
    const [, path = "", token = "", ...rest] = args;
    try {
      const code = await this.#scripts[deploy]({
        base: this.#base(path),
        path,
        token,
        args: rest,
        io,
      });
      return code ?? 0;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      say(io, error.message);
      return 3;
    }
  }

  readonly #scripts: Record<HostScript, (call: Call) => Promise<number | void> | number | void> = {
    acquire: (
      {
        base,
        path,
        token,
        args: [ttl, deployment = "", since = "", owner = "", , ...query],
        io,
      },
    ) => {
      const { lock } = base;
      if (lock !== null && !this.#isStale(lock)) {
        const left = lock.expires - this.#uptime;
        return say(io, `@held ${lock.deployment}|${left}|${lock.since}|${lock.owner}`);
      }
      if (lock !== null) say(io, `@stale ${lock.deployment} ${lock.owner}`);
      const life = Number(ttl);
      base.lock = { token, expires: this.#uptime + life, ttl: life, deployment, since, owner };
      base.staging.clear();
      return this.#facts(path, base, query, io);
    },
    facts: ({ base, path, args, io }) => this.#facts(path, base, args, io),
    recover: (call) => {
      held(call);
      this.#recover(call.base);
      return this.#facts(call.path, call.base, call.args, call.io);
    },
    renew: (call) => {
      const lock = held(call);
      lock.expires = this.#uptime + lock.ttl;
      return say(call.io, "@renewed");
    },
    release: (call) => {
      held(call);
      call.base.staging.clear();
      call.base.lock = null;
      return say(call.io, "@released");
    },
    upload: async (call) => {
      held(call);
      call.base.staging.set(call.token, await readAll(call.io.stdin));
    },
    verify: async (call) => {
      held(call);
      const [sha256 = "", from] = call.args;
      const bytes = from === "cached" ? this.cache.get(sha256) : call.base.staging.get(call.token);
      const digest = await sha256Of(bytes ?? new Uint8Array());
      if (bytes === undefined || digest !== sha256) {
        refuse("digest", `it arrived as sha256 ${digest} instead of ${sha256}`);
      }
      this.cache.set(sha256, bytes);
      call.base.staging.delete(call.token);
    },
    extract: async (call) => {
      const [dir = "", , bytes] = call.args;
      call.base.state = await received(call, bytes);
      this.releases.add(dir);
    },
    configure: async (call) => {
      const [dir = "", name = "", inherit = "", bytes, previous = ""] = call.args;
      const text = await received(call, bytes);
      if (!this.releases.has(dir)) refuse("missing", `the release is no longer there: ${dir}`);
      const { envs } = call.base;
      envs.set(name, (envs.get(inherit) ?? "") + text);
      return say(call.io, `${envs.get(name)}${envs.get(previous) ?? ""}`, "@files");
    },
    same_env: async (call) => {
      held(call);
      const [name = "", dir] = call.args;
      const text = new TextDecoder().decode(await readAll(call.io.stdin));
      return call.base.current === dir && call.base.envs.get(name) === text ? 0 : 1;
    },
    write_recovery: async (call) => {
      call.base.recover = await received(call, call.args[0]);
    },
    switch: async (call) => {
      const [dir = "", env = "", scriptBytes, stateBytes] = call.args;
      const sent = await received(call, String(Number(scriptBytes) + Number(stateBytes)));
      const bytes = new TextEncoder().encode(sent);
      const [recover, state] = [[0, scriptBytes], [scriptBytes]].map(([from, to]) =>
        new TextDecoder().decode(
          bytes.subarray(Number(from), to === undefined ? undefined : Number(to)),
        )
      );
      say(call.io, "@switching");
      Object.assign(call.base, { recover, state, current: dir, env });
    },
    give_dirs: (call) => void held(call),
    switch_back: (call) => {
      held(call);
      const [dir, env] = call.args;
      Object.assign(call.base, { current: dir || null, env: env || null });
    },
    clear_staging: (call) => {
      held(call);
      call.base.staging.delete(call.token);
    },
    record: async (call) => {
      call.base.state = await received(call, call.args[0]);
    },
    commit: async (call) => {
      call.base.state = await received(call, call.args[0]);
      call.base.recover = null;
    },
    prune: async (call) => {
      const [dirs = "", digests = "", envs = "", , bytes] = call.args;
      call.base.state = await received(call, bytes);
      for (const dir of dirs.split("\n")) this.releases.delete(dir);
      for (const digest of digests.split("\n")) this.cache.delete(digest);
      const keep = new Set(envs.split("\n"));
      for (const env of call.base.envs.keys()) if (!keep.has(env)) call.base.envs.delete(env);
    },
    forget_recovery: (call) => {
      held(call);
      call.base.recover = null;
    },
  };

  #facts(path: string, base: Base, query: string[], io: Io): number {
    const [dir = "", sha256 = "", user = "", commands = "", libraries = ""] = query;
    const yes = (value: boolean) => value ? "yes" : "no";
    const forced = `${dir}~${sha256.slice(0, 8)}`;
    const lines = commands.split("\n").filter((c) => c !== "" && !this.commands.has(c));
    return say(
      io,
      "@facts",
      "arch=x86_64",
      "uid=0",
      "login=root",
      `place=${this.name} ${path}`,
      `free_kb=${Math.floor(this.freeBytes / 1024)}`,
      "same_fs=yes",
      `recover=${yes(base.recover !== null)}`,
      `current=${base.current ?? ""}`,
      `dir=${yes(this.releases.has(dir))}`,
      `forced_dir=${yes(this.releases.has(forced))}`,
      `cached=${this.cache.has(sha256) ? sha256 : ""}`,
      "systemd=no",
      `user=${yes(user === "" || user === "root")}`,
      "writable=yes",
      ...lines.map((command) => `missing_command=${command}`),
      ...libraries.split("\n").filter(Boolean).map((library) => `missing_library=${library}`),
      "engine=",
      `state=${yes(base.state !== null)}`,
      "@state",
      ...base.state === null ? [] : [base.state.trimEnd()],
    );
  }

  /** Undoes a switch that was never committed, as `recover.sh` does. */
  #recover(base: Base): void {
    const state: HostState | null = base.state === null ? null : JSON.parse(base.state);
    if (base.recover === null || state === null) return;
    base.recover = null;
    const { pending } = state;
    if (pending === null) return;
    const { spec } = pending.to;
    if (spec !== null) this.services.end(spec.runDir, { code: 143, asked: true });
    const from = state.releases.find((release) => release.id === pending.from);
    Object.assign(base, { current: from?.dir ?? null, env: from?.env ?? null });
    if (from?.spec && pending.ran && !this.services.isRunning(from.spec.runDir)) {
      this.services.start(from.spec.runDir, from.dir, from.spec.envFile ?? "");
    }
    const reason = `${pending.deployment_id} was interrupted`;
    base.state = stateText(undone(state, pending.to.id, reason));
  }

  #isStale(lock: Lock): boolean {
    return lock.expires <= this.#uptime;
  }

  #base(path: string): Base {
    const found = this.#bases.get(path);
    if (found !== undefined) return found;
    const base: Base = {
      lock: null,
      state: null,
      recover: null,
      current: null,
      env: null,
      envs: new Map(),
      staging: new Map(),
    };
    this.#bases.set(path, base);
    return base;
  }
}

function held({ base, token }: Call): Lock {
  if (base.lock?.token === token) return base.lock;
  refuse(
    "lost",
    "the lock is no longer ours: it was not renewed in time, and the host has put itself back",
  );
}

/** What came on stdin: only while the lock is held, and only when it came whole. */
async function received(call: Call, bytes: string | undefined): Promise<string> {
  held(call);
  const data = await readAll(call.io.stdin);
  if (data.length !== Number(bytes)) refuse("cut", "only a part of it arrived");
  // The lock may have gone while the text came.
  held(call);
  return new TextDecoder().decode(data);
}

async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

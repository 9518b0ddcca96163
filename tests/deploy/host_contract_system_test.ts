/** The memory host of the quick tests beside this machine: the same deployments give the same events and results. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { acquireCommand, releaseCommand } from "../../src/deploy/host/lock/commands.ts";
import { hostLayout } from "../../src/deploy/host/layout.ts";
import type { HostState } from "../../src/deploy/host/state.ts";
import type { DeployStep } from "../../src/model/deployment.ts";
import type { DeployPlan } from "../../src/deploy/plan.ts";
import { localExecutor } from "../../src/executor/local.ts";
import type { Command, Executor } from "../../src/executor/executor.ts";
import { type Faults, FaultyExecutor } from "../helpers/faulty_executor.ts";
import { MemoryHost } from "../helpers/memory_host/host.ts";
import type { Program } from "../helpers/memory_host/service.ts";
import { Bench, run } from "./support.ts";
import { eventually } from "../helpers/raw_client.ts";

/** Long enough to see a program end that ends at once. */
const TIMING = { settleMs: 300, healthPollMs: 50, lockPollMs: 50 };

interface RunOptions {
  plan?: Partial<DeployPlan>;
  faults?: Faults;
  /** Cancels when this step begins. */
  cancelAt?: DeployStep;
}

/** A host, and all that a scenario has seen of it. */
abstract class ContractHost {
  readonly bench: Bench;
  readonly seen: unknown[] = [];
  #count = 0;

  constructor(bench: Bench) {
    this.bench = bench;
  }

  abstract connect(): Promise<Executor>;
  abstract running(): string[];
  abstract record(): HostState | null;
  abstract leftovers(): string[];
  abstract current(): string | null;
  /** Waits until the lock of a deployment that is gone has run out, and the host has put itself back. */
  abstract putBack(): Promise<void>;
  /** The program of a version, where the package alone does not make it behave. */
  abstract behave(version: string, program: Program): void;

  /** Deploys a version whose program behaves as `program` says. */
  async deploy(
    version: string,
    program: Program = {},
    more: RunOptions = {},
  ): Promise<string> {
    this.behave(version, program);
    const source = await this.bench.makePackage({ version, ...packageOf(program) });
    return await this.#run(this.bench.plan(source, more.plan), more);
  }

  async rollback(version?: string): Promise<string> {
    return await this.#run(this.bench.rollback(version));
  }

  /** Runs one command there. */
  async command(command: Command): Promise<void> {
    await using executor = await this.connect();
    this.seen.push((await executor.run(command)).exitCode);
  }

  /** Adds what is there now to what was seen. */
  look(): void {
    this.seen.push({
      running: this.running(),
      leftovers: this.leftovers(),
      current: this.current(),
      record: this.record(),
    });
  }

  async #run(plan: DeployPlan, more: RunOptions = {}): Promise<string> {
    const { faults = () => undefined, cancelAt } = more;
    const cancel = new AbortController();
    const connect = async () => new FaultyExecutor(await this.connect(), faults);
    const { events, result, host } = await run({
      ...plan,
      owner: "tester",
      deploymentId: `d-${this.#count++}`,
      hosts: [{ label: "here", installRoot: this.bench.root, connect }],
      timing: TIMING,
    }, {
      signal: cancel.signal,
      onEvent: ({ step, status }) => {
        if (step === cancelAt && status === "started") cancel.abort();
      },
    });
    // How many of them come depends on the time that passes.
    this.seen.push({ events: events.filter((e) => e.status !== "progress"), result });
    this.look();
    return host.outcome;
  }
}

class LocalHost extends ContractHost {
  connect(): Promise<Executor> {
    return Promise.resolve(localExecutor());
  }
  running(): string[] {
    return this.bench.running();
  }
  record(): HostState | null {
    const path = `${this.bench.base()}/state.json`;
    return existsSync(path) ? this.bench.state() : null;
  }
  leftovers(): string[] {
    return this.bench.leftovers();
  }
  current(): string | null {
    try {
      return Deno.readLinkSync(`${this.bench.base()}/current`);
    } catch {
      return null;
    }
  }
  async putBack(): Promise<void> {
    await eventually(() => this.leftovers().length === 0, "the host has put itself back");
    this.look();
  }
  behave(): void {}
}

class SimulatedHost extends ContractHost {
  readonly #host = new MemoryHost("local");

  connect(): Promise<Executor> {
    return this.#host.connect();
  }
  running(): string[] {
    return this.#host.services.running(this.bench.base());
  }
  record(): HostState | null {
    return this.#host.state(this.bench.base());
  }
  leftovers(): string[] {
    return this.#host.leftovers(this.bench.base());
  }
  current(): string | null {
    return this.#host.current(this.bench.base());
  }
  putBack(): Promise<void> {
    this.#host.pass(3600);
    this.look();
    return Promise.resolve();
  }
  behave(version: string, program: Program): void {
    this.#host.programs.set(version, program);
  }
}

/** The package of a program that behaves as `program` says on a real host. */
function packageOf(
  program: Program,
): { start: string; yaml?: string; files?: Record<string, string> } {
  const { exits, log = [], health } = program;
  const end = exits === undefined ? "while :; do sleep 0.2; done" : `exit ${exits}`;
  const start = ["#!/bin/sh", ...log.map((line) => `echo '${line}'`), end, ""].join("\n");
  if (health === undefined) return { start };
  const script = health === "hangs" ? "sleep 60" : `echo '${health[1]}'\nexit ${health[0]}`;
  return {
    start,
    yaml: "health: {script: scripts/health.sh, timeout: 3s, retries: 1, start_period: 1s}\n",
    files: { "scripts/health.sh": `#!/bin/sh\n${script}\n` },
  };
}

/** What differs between two runs of one scenario and means nothing. */
function normalised(seen: unknown, dir: string): unknown {
  const times = ["at", "checked_at", "installed_at", "committed_at", "duration_ms", "pid", "since"];
  const text = JSON.stringify(seen, (key, value) => {
    if (times.includes(key) && value !== null) return "…";
    // The archives hold the times of their files.
    if (key === "sha256" || key === "runId") return "…";
    return key === "expires_in_seconds" ? Number(value) > 0 : value;
  });
  return JSON.parse(
    text.replaceAll(dir, "/bench")
      .replaceAll(/\bpid \d+/g, "pid …")
      .replaceAll(/within \d+ s/g, "within … s")
      .replaceAll(/sha256[ :][0-9a-f]+/g, "sha256 …")
      .replaceAll(/(d-\d+)\.[0-9a-f]{8}/g, "$1.…")
      .replaceAll(/"place":"[^"]*"/g, '"place":"…"'),
  );
}

const SCENARIOS: Record<string, (host: ContractHost) => Promise<string[]>> = {
  "two versions and a rollback": async (host) => [
    await host.deploy("1.0.0"),
    await host.deploy("2.0.0"),
    await host.rollback(),
    await host.rollback(),
  ],
  "the same again": async (host) => {
    const source = await host.bench.makePackage();
    const again = { plan: { package: source } as Partial<DeployPlan> };
    return [await host.deploy("1.0.0", {}, again), await host.deploy("1.0.0", {}, again)];
  },
  "a first version that ends at once": async (host) => [
    await host.deploy("1.0.0", { exits: 3, log: ["no database"] }),
  ],
  "a health check that fails": async (host) => [
    await host.deploy("1.0.0", { health: [0, "fine"] }),
    await host.deploy("2.0.0", { health: [2, "queue is full"], log: ["up"] }, {
      plan: { healthTimeoutMs: 1 },
    }),
  ],
  "a second version that ends at once, and retention": async (host) => {
    const keep = { plan: { keepReleases: 1 } };
    return [
      await host.deploy("1.0.0", {}, keep),
      await host.deploy("2.0.0", { exits: 3, log: ["starting", "no database"] }, keep),
      await host.deploy("3.0.0", {}, keep),
    ];
  },
  "preflight": async (host) => {
    const requires = "requires: {commands: [no-such-command, sh], libraries: [libnosuch.so.9]}\n";
    const source = await host.bench.makePackage({ yaml: requires });
    return [await host.deploy("1.0.0", {}, { plan: { package: source } as Partial<DeployPlan> })];
  },
  "a lock that somebody holds": async (host) => {
    const place = { layout: hostLayout(host.bench.root, "web"), token: "other.1" };
    const none = {
      releaseDir: "",
      sha256: "",
      user: "",
      commands: [],
      libraries: [],
      serviceType: "",
    };
    const lock = { ttlSeconds: 600, deploymentId: "other", since: "2026", owner: "somebody" };
    await host.command(acquireCommand(place, lock, none));
    const first = await host.deploy("1.0.0");
    await host.command(releaseCommand(place));
    return [first, await host.deploy("1.0.0")];
  },
  "a package that changes on its way": async (host) => {
    const source = await host.bench.makePackage();
    const open = async () => {
      const bytes = new Uint8Array(await new Response(await source.open()).arrayBuffer());
      bytes[20] = (bytes[20] ?? 0) ^ 1;
      return new Blob([bytes]).stream();
    };
    const plan = { package: { ...source, open } } as Partial<DeployPlan>;
    return [await host.deploy("1.0.0", {}, { plan })];
  },
  "a cancel before and after the switch": async (host) => [
    await host.deploy("1.0.0"),
    await host.deploy("2.0.0", {}, { cancelAt: "configure" }),
    await host.deploy("3.0.0", {}, { cancelAt: "health" }),
  ],
  "an answer to the commit that is lost": async (host) => {
    let left = 1;
    return [
      await host.deploy("1.0.0"),
      await host.deploy("2.0.0", {}, {
        faults: (name) => name === "deploy/commit" && left-- > 0 ? "lose_answer" : undefined,
      }),
    ];
  },
  "a host that is gone after the switch": async (host) => {
    let gone = false;
    const outcomes = [
      await host.deploy("1.0.0"),
      await host.deploy("2.0.0", {}, {
        plan: { lockTtlMs: 8000 },
        faults: (name) => {
          gone ||= name === "process/start";
          return gone ? "cut" : undefined;
        },
      }),
    ];
    await host.putBack();
    return [...outcomes, await host.deploy("3.0.0")];
  },
};

const OUTCOMES: Record<keyof typeof SCENARIOS, string[]> = {
  "two versions and a rollback": ["ok", "ok", "ok", "failed"],
  "the same again": ["ok", "ok"],
  "a first version that ends at once": ["failed"],
  "a health check that fails": ["ok", "rolled_back"],
  "a second version that ends at once, and retention": ["ok", "rolled_back", "ok"],
  "preflight": ["failed"],
  "a lock that somebody holds": ["failed", "ok"],
  "a package that changes on its way": ["failed"],
  "a cancel before and after the switch": ["ok", "cancelled", "cancelled"],
  "an answer to the commit that is lost": ["ok", "ok"],
  "a host that is gone after the switch": ["ok", "unreachable", "ok"],
};

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  Deno.test(`host contract: ${name}`, async () => {
    const seen: unknown[] = [];
    for (const Host of [SimulatedHost, LocalHost]) {
      await using bench = new Bench();
      const host = new Host(bench);
      assert.deepEqual(
        await scenario(host),
        OUTCOMES[name],
        `${Host.name}: ${JSON.stringify(host.seen.at(-1))}`,
      );
      seen.push(normalised(host.seen, bench.dir));
    }
    assert.deepEqual(seen[0], seen[1]);
  });
}

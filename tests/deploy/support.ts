/**
 * What the tests of deploy share: packages made on the spot, temp install roots, plans, and a look at what really runs.
 */
import assert from "node:assert/strict";
import { deploy } from "../../src/deploy/deploy.ts";
import { packageFile } from "../../src/deploy/package_file.ts";
import type { DeployPackage, DeployPlan, HostTarget } from "../../src/deploy/plan.ts";
import type { DeployProgress, DeployResult, HostResult } from "../../src/deploy/progress.ts";
import type { HostState } from "../../src/deploy/host/state.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { connectSsh } from "../../src/executor/ssh/connect.ts";
import { buildPackage } from "../../src/package/build.ts";
import { createController } from "../../src/lifecycle/controller.ts";
import { removeTree } from "../helpers/remove_tree.ts";

/** A service that does nothing until it is told to end. */
export const START = `#!/bin/sh
echo "hello from $HARNESS_VERSION"
while :; do sleep 0.2; done
`;

/** Options for {@linkcode makePackage}. */
export interface PackageOptions {
  name?: string;
  version?: string;
  start?: string;
  /** YAML below the first lines. */
  yaml?: string;
  /** More files: path to text. */
  files?: Record<string, string>;
  /** Adds to the tree what is not text. */
  prepare?: (tree: string) => Promise<void>;
}

/** Short waits: these services come up at once, or not at all. */
const TIMING = { settleMs: 250, healthPollMs: 100, lockPollMs: 50 };

/** A temp directory with an install root, packages, and what is left of a test's services cleaned up. */
export class Bench implements AsyncDisposable {
  readonly dir: string;
  readonly root: string;
  #count = 0;

  constructor() {
    this.dir = Deno.makeTempDirSync({ prefix: "harness-deploy-" });
    this.root = `${this.dir}/opt`;
    Deno.mkdirSync(this.root);
  }

  /** Builds a package of a shell service. */
  async makePackage(options: PackageOptions = {}): Promise<DeployPackage> {
    const { name = "web", version = "1.0.0", start = START, yaml = "", files = {} } = options;
    const tree = `${this.dir}/src-${this.#count++}`;
    Deno.mkdirSync(`${tree}/scripts`, { recursive: true });
    Deno.mkdirSync(`${tree}/bin`);
    Deno.writeTextFileSync(
      `${tree}/manifest.yaml`,
      `name: ${name}\nversion: ${version}\ndescription: test\n${
        /^stop:/m.test(yaml) ? "" : "stop: {timeout: 2s}\n"
      }${yaml.includes("service:") ? "" : "service: {type: managed_process}\n"}${yaml}`,
    );
    Deno.writeTextFileSync(`${tree}/scripts/start.sh`, start);
    Deno.writeTextFileSync(`${tree}/bin/data.txt`, `data of ${version}\n`);
    for (const [path, text] of Object.entries(files)) {
      Deno.mkdirSync(`${tree}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      Deno.writeTextFileSync(`${tree}/${path}`, text);
    }
    await options.prepare?.(tree);
    const out = `${this.dir}/out-${this.#count}`;
    Deno.mkdirSync(out);
    const built = await buildPackage(tree, { outDir: out });
    return await packageFile(built.path);
  }

  /** Path of a package of {@linkcode makePackage}. */
  fileOf({ file }: DeployPackage): string {
    const dirs = [...Deno.readDirSync(this.dir)].filter(({ name }) => name.startsWith("out-"));
    const found = dirs.find(({ name }) =>
      [...Deno.readDirSync(`${this.dir}/${name}`)].some((entry) => entry.name === file)
    );
    assert(found !== undefined, file);
    return `${this.dir}/${found.name}/${file}`;
  }

  /** This machine as a target, below the temp install root. */
  target(label = "here", more: Partial<HostTarget> = {}): HostTarget {
    return {
      label,
      connect: () => Promise.resolve(localExecutor()),
      installRoot: this.root,
      ...more,
    };
  }

  /** A plan for one package on this machine. */
  plan(source: DeployPackage, more: Partial<DeployPlan> = {}): DeployPlan {
    return {
      kind: "deploy",
      deploymentId: `d-${crypto.randomUUID().slice(0, 8)}`,
      package: source,
      hosts: [this.target()],
      timing: TIMING,
      ...more,
    } as DeployPlan;
  }

  /** A rollback on this machine. */
  rollback(version?: string, more: Partial<DeployPlan> = {}): DeployPlan {
    return {
      kind: "rollback",
      deploymentId: `r-${crypto.randomUUID().slice(0, 8)}`,
      package: { name: "web", ...(version === undefined ? {} : { version }) },
      hosts: [this.target()],
      timing: TIMING,
      ...more,
    } as DeployPlan;
  }

  /** Bookkeeping directory. */
  base(name = "web", root = this.root): string {
    return `${root}/.harness/${name}`;
  }

  /** What the host has recorded. */
  state(name = "web", root = this.root): HostState {
    return JSON.parse(Deno.readTextFileSync(`${this.base(name, root)}/state.json`));
  }

  /** The versions that run below `root`, one entry for each process tree. */
  running(name = "web", root = this.root): string[] {
    return runningVersions(`${this.base(name, root)}/shared`);
  }

  /** What a deployment would leave: staging, lock, recovery script, temp files. */
  leftovers(name = "web", root = this.root): string[] {
    const names = [...Deno.readDirSync(this.base(name, root))].map((e) => e.name).sort();
    const allowed = ["current", "env", "envs", "log", "output", "run", "shared", "state.json"];
    return names.filter((n) => !allowed.includes(n));
  }

  /** Asserts that nothing of a deployment is left: no staging, lock, recovery script, temp file. */
  assertClean(name = "web", root = this.root): void {
    assert.deepEqual(this.leftovers(name, root), []);
  }

  /** Stops whatever still runs and removes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await using executor = localExecutor();
    for (const root of [this.root, ...extraRoots(this.dir)]) {
      let names: string[] = [];
      try {
        names = [...Deno.readDirSync(`${root}/.harness`)].map((e) => e.name);
      } catch {
        continue;
      }
      for (const name of names.filter((n) => n !== "cache")) {
        const text = await Deno.readTextFile(`${root}/.harness/${name}/state.json`)
          .catch(() => "");
        if (text === "") continue;
        const state = JSON.parse(text) as HostState;
        const records = [...state.releases, ...state.pending === null ? [] : [state.pending.to]];
        await Promise.all(records.map(async ({ spec }) => {
          if (spec !== null) await createController(executor, spec, { systemd: false }).stop();
        }));
      }
    }
    await removeTree(this.dir);
  }
}

function extraRoots(dir: string): string[] {
  return [...Deno.readDirSync(dir)]
    .filter((e) => e.isDirectory && e.name.startsWith("root-"))
    .map((e) => `${dir}/${e.name}`);
}

/** The versions of all processes whose data directory is `shared`: only the heads of process trees. */
export function runningVersions(shared: string): string[] {
  const found = new Map<number, { version: string; parent: number }>();
  for (const entry of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    try {
      const env = Deno.readTextFileSync(`/proc/${entry.name}/environ`).split("\0");
      if (!env.includes(`HARNESS_DATA_DIR=${shared}`)) continue;
      const stat = Deno.readTextFileSync(`/proc/${entry.name}/stat`).replace(/.*\) /s, "");
      const [state = "", parent = ""] = stat.split(" ");
      if (state === "Z") continue;
      const version = env.find((e) => e.startsWith("HARNESS_VERSION="))?.slice(16) ?? "?";
      found.set(Number(entry.name), { version, parent: Number(parent) });
    } catch {
      // It ended while we looked.
    }
  }
  return [...found.values()].filter((p) => !found.has(p.parent)).map((p) => p.version).sort();
}

/** A test's sshd as a target connects to it: nothing of the machine's own SSH settings. */
export function connectTo(
  sshd: { host: string; port: number; user: string; identityFile: string; knownHostsFile: string },
): HostTarget["connect"] {
  const { host, port, user, identityFile, knownHostsFile } = sshd;
  return (signal) =>
    connectSsh({ host, port, user, identityFile }, {
      knownHostsFiles: [knownHostsFile],
      sshConfigFile: null,
      agentSocket: null,
      signal,
    });
}

/** Takes all space that is left, by a file. */
export function fill(path: string): void {
  using file = Deno.openSync(path, { create: true, write: true });
  const block = new Uint8Array(4096);
  try {
    while (true) file.writeSync(block);
  } catch {
    // Full.
  }
}

/** Runs a plan to its end. */
export async function run(
  plan: DeployPlan,
  options: { signal?: AbortSignal; onEvent?: (event: DeployProgress) => void } = {},
): Promise<{ events: DeployProgress[]; result: DeployResult; host: HostResult }> {
  const events: DeployProgress[] = [];
  const work = deploy(plan, options.signal === undefined ? {} : { signal: options.signal });
  while (true) {
    const { value, done } = await work.next();
    if (done) {
      const host = value.hosts[0];
      assert(host !== undefined);
      return { events, result: value, host };
    }
    events.push(value);
    options.onEvent?.(value);
  }
}

/** The steps of a host with how they ended: `upload:done`. */
export function ends(events: DeployProgress[], host = "here"): string[] {
  return events
    .filter((e) => e.host === host && e.status !== "started" && e.status !== "progress")
    .map((e) => `${e.step}:${e.status}`);
}

/**
 * The same fault everywhere: the connection is cut at the beginning of each step, the disk fills up before each command.
 * Afterwards the host runs exactly the old or the new version, its record says which, nothing is left, and the next
 * deployment works.
 */
import { DEPLOY_STEPS, type DeployStep } from "../../src/model/deployment.ts";
import assert from "node:assert/strict";
import type { Executor } from "../../src/executor/executor.ts";
import { localExecutor } from "../../src/executor/local.ts";
import { createController } from "../../src/lifecycle/controller.ts";
import type { DeployPackage, HostTarget } from "../../src/deploy/plan.ts";
import type { DeployProgress, HostResult } from "../../src/deploy/progress.ts";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";
import { Bench, connectTo, fill, run } from "./support.ts";
import { eventually } from "../helpers/raw_client.ts";

/** From the lock to its release. */
const STEPS: readonly DeployStep[] = DEPLOY_STEPS.slice(
  DEPLOY_STEPS.indexOf("lock"),
  DEPLOY_STEPS.indexOf("unlock") + 1,
);
/** Shorter than usual, so that a test does not wait long for a watchdog; long enough for a busy machine. */
const LOCK_TTL_MS = 12_000;

/** Two versions that replace each other; what was brought to the host is removed before each turn. */
class Turns {
  readonly #bench: Bench;
  readonly #target: HostTarget;
  readonly #packages: readonly DeployPackage[];

  private constructor(bench: Bench, target: HostTarget, packages: readonly DeployPackage[]) {
    this.#bench = bench;
    this.#target = target;
    this.#packages = packages;
  }

  static async begin(bench: Bench, target: HostTarget): Promise<Turns> {
    const packages = [
      await bench.makePackage({ version: "1.0.0" }),
      await bench.makePackage({ version: "2.0.0" }),
    ];
    const turns = new Turns(bench, target, packages);
    await turns.#deploy(packages[0]);
    return turns;
  }

  /** The version that is recorded as active. */
  get active(): string {
    const state = this.#bench.state("web", this.#root);
    assert.equal(state.pending, null);
    return state.releases.find((r) => r.id === state.active)?.version ?? "none";
  }

  /** Deploys the version that is not active and does `fault` when `step` begins. */
  async faultAt(step: DeployStep, fault: () => Promise<void>): Promise<HostResult> {
    let done: Promise<void> | null = null;
    const host = await this.next((event) => {
      if (event.step === step && event.status === "started") done ??= fault();
    });
    await done;
    assert(done !== null, `${step} was never reached: ${JSON.stringify(host)}`);
    return host;
  }

  /** Deploys the version that is not active. */
  async next(onEvent: (event: DeployProgress) => void): Promise<HostResult> {
    const other = this.#packages.find((p) => p.manifest.version !== this.active);
    assert(other !== undefined);
    const remove = (path: string) => Deno.remove(`${this.#root}/${path}`, { recursive: true });
    await remove(`web-${other.manifest.version}`).catch(() => {});
    await remove(`.harness/cache/${other.sha256}`).catch(() => {});
    const plan = this.#bench.plan(other, {
      hosts: [this.#target],
      lockTtlMs: LOCK_TTL_MS,
      // A lock command whose connection was cut may go on there, and take the lock for nobody after all looked clean.
      lockWaitMs: 60_000,
    });
    return (await run(plan, { onEvent })).host;
  }

  /** Waits until nothing of a deployment is left, then compares what runs with what is recorded. */
  async assertOldOrNew(before: string, context: string): Promise<void> {
    await eventually(
      () => this.#bench.leftovers("web", this.#root).length === 0,
      `${context}: clean`,
    );
    const { active } = this;
    assert(["1.0.0", "2.0.0"].includes(active), `${context}: ${active}, was ${before}`);
    assert.deepEqual(this.#bench.running("web", this.#root), [active], context);
    const link = Deno.readLinkSync(`${this.#bench.base("web", this.#root)}/current`);
    assert.equal(link, `${this.#root}/web-${active}`, context);
    assert.equal(Deno.readTextFileSync(`${link}/bin/data.txt`), `data of ${active}\n`, context);
  }

  /** The next deployment works and leaves nothing. */
  async end(): Promise<void> {
    const other = this.#packages.find((p) => p.manifest.version !== this.active);
    await this.#deploy(other);
    this.#bench.assertClean("web", this.#root);
  }

  get #root(): string {
    return this.#target.installRoot ?? this.#bench.root;
  }

  async #deploy(source: DeployPackage | undefined): Promise<void> {
    assert(source !== undefined);
    const { host } = await run(this.#bench.plan(source, { hosts: [this.#target] }));
    assert.equal(host.outcome, "ok", JSON.stringify(host.error));
    assert.deepEqual(this.#bench.running("web", this.#root), [source.manifest.version]);
  }
}

Deno.test({
  name: "deploy(): cut at any step leaves the old or the new",
  ignore: needs("sshd"),
  async fn() {
    await using bench = new Bench();
    await using sshd = await startSshd();
    const turns = await Turns.begin(bench, {
      label: "cut",
      installRoot: bench.root,
      connect: connectTo(sshd),
    });
    const seen: string[] = [];
    for (const step of STEPS) {
      const before = turns.active;
      const result = await turns.faultAt(step, () => sshd.killConnections());
      await turns.assertOldOrNew(before, `${step}: ${JSON.stringify(result.error)}`);
      seen.push(`${step} ${result.outcome}`);
      // What is reported is what is there: "ok" only for the new version, anything else never for it.
      if (result.outcome === "ok") assert.notEqual(turns.active, before, step);
      else if (result.versionAfter !== null) assert.equal(turns.active, result.versionAfter, step);
    }
    Deno.stderr.writeSync(new TextEncoder().encode(`cut at ${seen.join(", ")}\n`));
    await turns.end();
  },
});

Deno.test({
  name: "deploy(): a full disk at any command",
  ignore: needs("tmpfs"),
  async fn() {
    await using bench = new Bench();
    const root = `${bench.dir}/root-full`;
    Deno.mkdirSync(root);
    const mount = (...args: string[]) => new Deno.Command("mount", { args }).outputSync().success;
    assert(mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", root));
    const filler = `${root}/filler`;
    let left = Infinity;
    const connect = (): Promise<Executor> =>
      Promise.resolve(beforeEach(localExecutor(), () => {
        if (left-- === 0) fill(filler);
      }));
    try {
      const turns = await Turns.begin(bench, bench.target("here", { installRoot: root, connect }));
      const seen: string[] = [];
      for (let count = 0; left < 0 || seen.length === 0; count++) {
        const before = turns.active;
        left = count;
        const result = await turns.next(() => {});
        const context = `command ${count}: ${result.outcome} ${JSON.stringify(result.error)}`;
        // Not waiting for space: whatever happens, the full disk itself must not keep the host down.
        await turns.assertOldOrNew(before, context);
        if (result.outcome === "ok") assert.notEqual(turns.active, before, context);
        else assert.equal(turns.active, before, context);
        seen.push(`${result.step} ${result.outcome}`);
        if (left < 0) Deno.removeSync(filler);
      }
      left = Infinity;
      Deno.stderr.writeSync(new TextEncoder().encode(`full at ${seen.join(", ")}\n`));
      await turns.end();
    } finally {
      left = Infinity;
      await stopAll(bench, root);
      assert(new Deno.Command("umount", { args: ["-l", root] }).outputSync().success);
    }
  },
});

/** An executor that says when it is about to run a command. */
function beforeEach(executor: Executor, about: () => void): Executor {
  return {
    host: executor.host,
    run(command, options) {
      about();
      return executor.run(command, options);
    },
    [Symbol.asyncDispose]: () => executor[Symbol.asyncDispose](),
  };
}

async function stopAll(bench: Bench, root: string): Promise<void> {
  await using executor = localExecutor();
  for (const { spec } of bench.state("web", root).releases) {
    if (spec !== null) await createController(executor, spec, { systemd: false }).stop();
  }
}

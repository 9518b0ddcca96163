/**
 * SIGKILL of the deploying process at random moments. Afterwards, without anybody's help, the host runs exactly the
 * old or the new version, its record says which, and nothing of the deployment is left.
 *
 * `HARNESS_CRASH_ROUNDS` sets the rounds per transport (10 each by default).
 */
import assert from "node:assert/strict";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";
import type { DeployPackage } from "../../src/deploy/plan.ts";
import type { CrashOrder } from "./crash_child.ts";
import { Bench, run } from "./support.ts";
import { eventually } from "../helpers/raw_client.ts";

const ROUNDS = Number(Deno.env.get("HARNESS_CRASH_ROUNDS") ?? 10);
const LOCK_TTL_MS = 4000;
/** Kills come within this time after the beginning of a step chosen at random. */
const SPREAD_MS = 400;
const STEPS = [
  "connect",
  "lock",
  "upload",
  "verify",
  "extract",
  "configure",
  "switch",
  "start",
  "start",
  "health",
  "commit",
  "prune",
  "unlock",
] as const;

/** Starts a deployment in a child and kills it `afterMs` after the beginning of `step`; answers its last line. */
async function deployAndKill(order: CrashOrder, step: string, afterMs: number): Promise<string> {
  const script = new URL("./crash_child.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", script, JSON.stringify(order)],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let said = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += text;
    if (!said.includes(`${step}:started`)) continue;
    timer ??= setTimeout(() => {
      try {
        child.kill("SIGKILL");
      } catch {
        // It was done already.
      }
    }, afterMs);
  }
  clearTimeout(timer);
  await child.status;
  // On a machine this busy a lock of seconds may run out; the host must be right then too.
  const failed = said.split("\n").filter((line) => / ?\w+:failed/.test(line));
  assert(failed.every((line) => /lock|1 failed/.test(line)), `it failed by itself: ${said}`);
  assert(failed.length > 0 || said.includes(`${step}:started`), `never came to ${step}: ${said}`);
  return failed.length > 0 ? "its lock ran out" : said.trimEnd().split("\n").at(-1) ?? "";
}

function assertOldOrNew(bench: Bench, versions: readonly string[], context: string): string {
  const state = bench.state();
  const active = state.releases.find((r) => r.id === state.active);
  assert(
    active !== undefined && versions.includes(active.version),
    `${context}: active ${state.active}`,
  );
  assert.equal(state.pending, null, context);
  assert.deepEqual(
    bench.running(),
    [active.version],
    `${context}: what runs is not what is recorded`,
  );
  assert.equal(Deno.readLinkSync(`${bench.base()}/current`), active.dir, context);
  const env = Deno.readTextFileSync(`${bench.base()}/env`);
  assert(
    env.includes(`HARNESS_VERSION='${active.version}'`),
    `${context}: env is of another release`,
  );
  const data = Deno.readTextFileSync(`${active.dir}/bin/data.txt`);
  assert.equal(data, `data of ${active.version}\n`, context);
  return active.version;
}

async function crashRounds(ssh: CrashOrder["ssh"]): Promise<void> {
  await using bench = new Bench();
  const packages: DeployPackage[] = [];
  for (const version of ["1.0.0", "2.0.0"]) packages.push(await bench.makePackage({ version }));
  const [first] = packages;
  assert(first !== undefined);
  assert.equal((await run(bench.plan(first))).host.outcome, "ok");
  const counts: Record<string, number> = {};
  let active = "1.0.0";
  for (let round = 0; round < ROUNDS; round++) {
    const next = packages.find((p) => p.manifest.version !== active);
    assert(next !== undefined);
    // Without its files, so that every step has something to do.
    for (const path of [`web-${next.manifest.version}`, `.harness/cache/${next.sha256}`]) {
      await Deno.remove(`${bench.root}/${path}`, { recursive: true }).catch(() => {});
    }
    const step = STEPS[Math.floor(Math.random() * STEPS.length)] ?? "start";
    const afterMs = Math.floor(Math.random() * SPREAD_MS);
    const last = await deployAndKill(
      {
        deploymentId: `crash-${round}`,
        root: bench.root,
        file: `${bench.dir}/out-${packages.indexOf(next) + 1}/${next.file}`,
        sha256: next.sha256,
        size: next.size,
        manifest: next.manifest,
        lockTtlMs: LOCK_TTL_MS,
        ssh,
      },
      step,
      afterMs,
    );
    const context = `round ${round}, killed ${afterMs} ms into ${step}, at "${last}"`;
    await eventually(() => bench.leftovers().length === 0, `${context}: the lock frees itself`);
    const before = active;
    active = assertOldOrNew(bench, [before, next.manifest.version], context);
    counts[last.split(":")[0] ?? ""] = (counts[last.split(":")[0] ?? ""] ?? 0) + 1;
  }
  const summary = `${ROUNDS} kills, at ${JSON.stringify(counts)}\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(summary));
  // And the next deployment works, and leaves nothing.
  const last = packages.find((p) => p.manifest.version !== active);
  assert(last !== undefined);
  // A command that the last kill left behind may take the lock only now; nobody renews it.
  const { host } = await run(bench.plan(last, { force: true, lockWaitMs: 15 * LOCK_TTL_MS }));
  assert.equal(host.outcome, "ok", JSON.stringify(host.error));
  bench.assertClean();
  assert.deepEqual(bench.running(), [last.manifest.version]);
}

Deno.test("watchdog: SIGKILL of the deploying process", async () => {
  await crashRounds(null);
});

Deno.test({
  name: "watchdog: SIGKILL of the deploying process over SSH",
  ignore: needs("sshd"),
  async fn() {
    await using sshd = await startSshd();
    await crashRounds({
      host: sshd.host,
      port: sshd.port,
      user: sshd.user,
      identityFile: sshd.identityFile,
      knownHosts: sshd.knownHostsFile,
    });
  },
});

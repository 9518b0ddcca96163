/**
 * Figures of the registry over files: `deno run -A tests/bench/storage_bench.ts [dir]`.
 *
 * Everything runs on the disk that holds `dir` (default: the temp dir), so a fast sync there flatters.
 */
import { Registry } from "../../src/registry/registry.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { serviceInput } from "../helpers/fixtures.ts";

const SERVICES = 10_000;
const JOURNAL_CHANGES = 100_000;
const WRITERS = 64;

function say(name: string, value: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${name.padEnd(58)} ${value}\n`));
}

function percentile(sorted: readonly number[], part: number): string {
  return `${(sorted[Math.floor(sorted.length * part)] ?? sorted.at(-1) ?? 0).toFixed(2)} ms`;
}

/** Runs `task` `count` times from 64 sides; returns each one's time, sorted. */
async function many(count: number, task: (i: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: WRITERS }, async () => {
    while (next < count) {
      const i = next++;
      const start = performance.now();
      await task(i);
      times.push(performance.now() - start);
    }
  }));
  return times.sort((a, b) => a - b);
}

/** Longest time for which the event loop got no turn while `task` ran. */
async function longestStall(task: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }, 0);
  await task();
  clearInterval(timer);
  return longest;
}

function service(i: number): Parameters<Registry["register"]>[0] {
  return serviceInput(`service-${i}`, {
    endpoints: [{ name: "http", address: "10.0.0.1:8080", protocol: "http", metadata: {} }],
    labels: { env: "prod", team: "payments" },
    location: { type: "remote", host: `h${i % 100}`, ssh_user: "root", ssh_port: null },
  });
}

const root = await Deno.makeTempDir({ prefix: "harness-bench-", ...dirOption() });
try {
  const dir = `${root}/state`;
  // No snapshot in between: the journal shall hold everything.
  const tuning = { snapshotDelayMs: 3_600_000 };
  const store = new FileStore({ dir, tuning });
  const registry = await Registry.open(store);
  await many(SERVICES, (i) => registry.register(service(i)));
  await store.save();
  await Deno.mkdir(`${root}/copy`);
  for (const part of [0.2, 1]) {
    const count = JOURNAL_CHANGES * part;
    const start = performance.now();
    const times = await many(count, (i) => {
      return registry.update(`service-${i % SERVICES}`, { version: `${part}.${i}` });
    });
    const rate = count / (performance.now() - start) * 1000;
    say(`durable changes/s, ${WRITERS} writers, ${count} changes`, rate.toFixed(0));
    say("  p50 / p99", `${percentile(times, 0.5)} / ${percentile(times, 0.99)}`);
  }
  let start = performance.now();
  for (let i = 0; i < 1_000; i++) await registry.update(`service-${i}`, { version: `s${i}` });
  say("one writer, changes/s", (1_000_000 / (performance.now() - start)).toFixed(0));
  // As after kill -9: a snapshot of the beginning, all the rest in the journal.
  for await (const { name } of Deno.readDir(dir)) {
    await Deno.copyFile(`${dir}/${name}`, `${root}/copy/${name}`);
  }
  const idle = await longestStall(() => new Promise((resolve) => setTimeout(resolve, 200)));
  for (let i = 0; i < 3; i++) {
    start = performance.now();
    const stall = await longestStall(() => store.save());
    say(
      `snapshot of ${SERVICES}: time / longest stall (idle: ${idle.toFixed(1)} ms)`,
      `${(performance.now() - start).toFixed(0)} ms / ${stall.toFixed(1)} ms`,
    );
  }
  await registry.close();
  for (let i = 0; i < 3; i++) {
    start = performance.now();
    const again = await Registry.open(new FileStore({ dir: `${root}/copy`, tuning }));
    say(
      `open ${again.size} services + ${again.seq - SERVICES} journal events`,
      `${(performance.now() - start).toFixed(0)} ms`,
    );
    // Not closed: that would write a snapshot. The lock goes with the process; each round has its own copy.
    await Deno.remove(`${root}/copy/registry.lock`);
  }
} finally {
  await Deno.remove(root, { recursive: true });
}
Deno.exit(0);

function dirOption(): { dir?: string } {
  return Deno.args[0] === undefined ? {} : { dir: Deno.args[0] };
}

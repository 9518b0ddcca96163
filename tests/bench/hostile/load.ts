/**
 * What one client waits for `get_service` while 20 others flood, replay, stall and hang up:
 * `deno run -A tests/bench/hostile/load.ts [--of=<another checkout>] [--seconds=4]`.
 *
 * On a machine that is busy with other things the waits are theirs: run it alone, or with `nice -n -19`.
 * With another checkout every figure is taken of both in turn. Loopback only; clients and server share the
 * machine.
 */
import { delay, Peers, percentile } from "./peers.ts";

const here = new URL("../../../", import.meta.url).pathname;
const flags = new Map(Deno.args.map((arg): [string, string] => {
  const [name = "", value = ""] = arg.split("=");
  return [name, value];
}));
const other = flags.get("--of");
const seconds = Number(flags.get("--seconds") ?? 4);
const checkouts = other === undefined ? [here] : [`${other.replace(/\/$/, "")}/`, here];
const SCENARIOS = ["quiet", "small", "flood", "filters", "replay", "stall", "all"] as const;

interface Child extends AsyncDisposable {
  port: number;
  epoch: string;
}

/** Starts the server of a checkout with 5,000 services and a long history of one large entry. */
async function startChild(checkout: string): Promise<Child> {
  const script = new URL("./server.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--config", `${checkout}deno.json`, script, checkout],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await reader.read();
  const [port = "", epoch = ""] = value.trim().split(" ");
  return {
    port: Number(port),
    epoch,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
    },
  };
}

/** The waits of one client in another process, in milliseconds, and how often it was answered. */
async function probe(port: number): Promise<{ waits: number[]; rate: number }> {
  const script = new URL("./peers.ts", import.meta.url).pathname;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script, String(port), String(seconds)],
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

for (const scenario of SCENARIOS) {
  const rates: number[] = [];
  for (const checkout of checkouts) {
    await using child = await startChild(checkout);
    const peers = new Peers(child.port, child.epoch);
    const running = peers.run(scenario);
    await delay(300);
    const { waits, rate } = await probe(child.port);
    peers.stop();
    rates.push(rate);
    const [p50, p99, max] = [0.5, 0.99, 1].map((p) => percentile(waits, p).toFixed(1));
    const whose = checkout === here ? "this " : "other";
    const answers = `${Math.round(rate)} answers/s`;
    say(`${scenario.padEnd(7)} ${whose} p50 ${p50} p99 ${p99} max ${max} ms, ${answers}`);
    await Promise.race([running, delay(1000)]);
  }
  const [before = 1, now = 1] = rates;
  if (checkouts.length > 1) {
    say(`  throughput of the well-behaved client: × ${(now / before).toFixed(2)}`);
  }
}
Deno.exit();

/**
 * Loaded before a program (`deno run --preload`) or run by itself: watches for how long its event loop got no turn.
 * SIGUSR2 writes into the file $BENCH_GAP_FILE, as JSON, the longest time since the last signal, and how much of that
 * the thread was ready to run and another had the processor; both in milliseconds.
 */
const file = Deno.env.get("BENCH_GAP_FILE") ?? "";
const EVERY_MS = 1;
const waited = await waitedReader();
let longest = { gap_ms: 0, waited_ms: 0 };
let last = performance.now();
let lastWaited = waited();

/** Reads how long this thread has waited for a processor since its start, in milliseconds; 0 where nobody counts. */
async function waitedReader(): Promise<() => number> {
  // Of Linux; Deno lets only a program with all permissions read it.
  const counters = await Deno.open("/proc/self/schedstat").catch(() => null);
  if (counters === null) return () => 0;
  const bytes = new Uint8Array(128);
  return () => {
    counters.seekSync(0, Deno.SeekMode.Start);
    const text = new TextDecoder().decode(bytes.subarray(0, counters.readSync(bytes) ?? 0));
    return Number(text.split(" ")[1]) / 1e6;
  };
}

function tick(): void {
  const now = performance.now();
  const nowWaited = waited();
  const gap_ms = now - last - EVERY_MS;
  if (gap_ms > longest.gap_ms) longest = { gap_ms, waited_ms: nowWaited - lastWaited };
  last = now;
  lastWaited = nowWaited;
}

Deno.unrefTimer(setInterval(tick, EVERY_MS));
Deno.addSignalListener("SIGUSR2", () => {
  tick();
  Deno.writeTextFileSync(`${file}.part`, JSON.stringify(longest));
  Deno.renameSync(`${file}.part`, file);
  longest = { gap_ms: 0, waited_ms: 0 };
  last = performance.now();
  lastWaited = waited();
});
if (import.meta.main) {
  Deno.stdout.writeSync(new TextEncoder().encode("watching\n"));
  // Until it is killed.
  setInterval(() => {}, 3_600_000);
}

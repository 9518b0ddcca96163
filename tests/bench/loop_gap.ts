/**
 * Loaded before a program (`deno run --preload`) or run by itself: watches for how long its event loop got no turn.
 * SIGUSR2 writes the longest time since the last signal, in milliseconds, into the file $BENCH_GAP_FILE.
 */
const file = Deno.env.get("BENCH_GAP_FILE") ?? "";
const EVERY_MS = 1;
let longest = 0;
let last = performance.now();

function tick(): void {
  const now = performance.now();
  longest = Math.max(longest, now - last - EVERY_MS);
  last = now;
}

Deno.unrefTimer(setInterval(tick, EVERY_MS));
Deno.addSignalListener("SIGUSR2", () => {
  tick();
  Deno.writeTextFileSync(`${file}.part`, longest.toFixed(3));
  Deno.renameSync(`${file}.part`, file);
  longest = 0;
  last = performance.now();
});
if (import.meta.main) {
  Deno.stdout.writeSync(new TextEncoder().encode("watching\n"));
  // Until it is killed.
  setInterval(() => {}, 3_600_000);
}

/**
 * The server of load.ts: `server.ts <checkout>`. Prints `<port> <epoch>`.
 */
const [checkout = ""] = Deno.args;
const { Registry } = await import(`${checkout}src/registry/registry.ts`);
const { FileStore } = await import(`${checkout}src/storage/file_store.ts`);
const { serve } = await import(`${checkout}src/server/serve.ts`);

const SERVICES = 5000;
const UPDATES = Number(Deno.env.get("BENCH_UPDATES") ?? 2500);
/** Labels of the large entry: 15 are 60 kB, 60 are 243 kB. */
const LABELS = Number(Deno.env.get("BENCH_LABELS") ?? 15);

const dir = await Deno.makeTempDir({ prefix: "hostile-load-" });
const registry = await Registry.open(new FileStore({ dir, durability: "async" }));
const execution = { type: "managed_process", command: "/bin/true", args: ["--serve"], pid: null };
const more = (i: number) => ({
  version: "1.0.0",
  execution,
  endpoints: [{ name: "http", address: `10.0.0.1:${1024 + i}`, protocol: "http", metadata: {} }],
  labels: { team: `team-${i % 7}`, tier: "backend" },
});
await registry.register({ name: "big", ...more(0) });
const register = (i: number) => registry.register({ name: `service-${i}`, ...more(i) });
for (let i = 0; i < SERVICES; i += 500) {
  await Promise.all(Array.from({ length: 500 }, (_, k) => register(i + k)));
}
const text = "x".repeat(4000);
const labels = Object.fromEntries(Array.from({ length: LABELS }, (_, i) => [`label-${i}`, text]));
for (let i = 0; i < UPDATES; i++) await registry.update("big", { version: `1.${i + 1}.0`, labels });
await registry.update("big", { labels: {} });

const limits = { pingIntervalMs: 3_600_000 };
const server = await serve({ registry, port: 0, limits, auth: { anonymous: "full" } });
// The probe asks as fast as it is answered.
Deno.stdout.writeSync(new TextEncoder().encode(`${server.port} ${registry.epoch}\n`));
for await (const _ of Deno.stdin.readable);
await Deno.remove(dir, { recursive: true });
Deno.exit();

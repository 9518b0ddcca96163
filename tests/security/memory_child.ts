/**
 * The server of memory_system_test.ts, under a heap limit: `memory_child.ts <updates> <bytes>`. Changes one large entry
 * again and again while a subscriber reads and one does not, and prints its resident memory before and after.
 */
import { Registry } from "../../src/registry/registry.ts";
import { serve } from "../../src/server/serve.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { RawClient } from "../helpers/raw_client.ts";

const [updates = 1000, bytes = 200_000] = Deno.args.map(Number);
const dir = await Deno.makeTempDir();
const registry = await Registry.open(new FileStore({ dir, durability: "async" }));
const server = await serve({ registry, port: 0 });
await registry.register({
  name: "big",
  version: "0",
  execution: { type: "systemd_service", unit_name: "big" },
});
const lagging = registry.events().getReader(); // is never read
await using client = await RawClient.ready(server.url);
await client.call("subscribe", { services: ["other"] });

const note = "x".repeat(4000);
const labels = Object.fromEntries(
  Array.from({ length: Math.floor(bytes / 4000) }, (_, i) => [`label-${i}`, note]),
);
const change = (i: number) => registry.update("big", { version: `1.${i}`, labels });
for (let i = 0; i < 5; i++) await change(i);
const before = Deno.memoryUsage().rss;
let most = 0;
for (let i = 5; i < updates; i++) {
  await change(i);
  if (i % 50 === 0) most = Math.max(most, Deno.memoryUsage().rss);
}
// What was long ago is still there: it is read from the disk.
const page = await registry.history(3, 2);
const kept = page?.map(({ seq }) => seq);
Deno.stdout.writeSync(
  new TextEncoder().encode(JSON.stringify({ before, most, seq: registry.seq, kept })),
);
await lagging.cancel().catch(() => {});
await client.close();
await server.shutdown();
await registry.close();
// Loading it again takes no more.
const again = await Registry.open(new FileStore({ dir }));
const loaded = Deno.memoryUsage().rss;
Deno.stdout.writeSync(new TextEncoder().encode(`\n${JSON.stringify({ loaded, seq: again.seq })}`));
await again.close();
await Deno.remove(dir, { recursive: true });

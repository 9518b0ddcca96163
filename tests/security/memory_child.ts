/**
 * The servers of memory_system_test.ts, started with `--expose-gc`. What they print is what they keep: bytes in the heap
 * and outside of it that are still there after everything else was collected.
 *
 * - `memory_child.ts change <dir> <updates> <bytes>` changes one large entry again and again while a subscriber reads
 *   and one does not.
 * - `memory_child.ts load <dir>` loads what the first has left.
 */
import { Registry } from "../../src/registry/registry.ts";
import { serve } from "../../src/server/serve.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { RawClient } from "../helpers/raw_client.ts";

const { gc } = globalThis as unknown as { gc: () => void };

/** Bytes that are kept. Twice: what is outside of the heap goes after what held it. */
async function kept(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

function print(result: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(result)));
}

async function change(dir: string, updates: number, bytes: number): Promise<void> {
  const registry = await Registry.open(new FileStore({ dir, durability: "async" }));
  const server = await serve({ registry, port: 0 });
  await registry.register({
    name: "big",
    version: "0",
    execution: { type: "systemd_service", unit_name: "big" },
  });
  const lagging = registry.events().getReader(); // is never read
  const client = await RawClient.ready(server.url);
  await client.call("subscribe", { services: ["other"] });

  const note = "x".repeat(4000);
  const labels = Object.fromEntries(
    Array.from({ length: Math.floor(bytes / 4000) }, (_, i) => [`label-${i}`, note]),
  );
  const update = (i: number) => registry.update("big", { version: `1.${i}`, labels });
  for (let i = 0; i < 2; i++) await update(i);
  const before = await kept();
  let most = 0;
  for (let i = 2; i < updates; i++) {
    await update(i);
    if (i % 300 === 299) most = Math.max(most, await kept());
  }
  // What was long ago is still there: it is read from the disk.
  const page = await registry.history(3, 2);
  print({ grown: most - before, seq: registry.seq, page: page?.map(({ seq }) => seq) });
  await lagging.cancel().catch(() => {});
  await client.close();
  await server.shutdown();
  await registry.close();
}

async function load(dir: string): Promise<void> {
  const before = await kept();
  const registry = await Registry.open(new FileStore({ dir }));
  print({ grown: await kept() - before, seq: registry.seq });
  await registry.close();
}

const [mode, dir = "", updates, bytes] = Deno.args;
if (mode === "change") await change(dir, Number(updates), Number(bytes));
else await load(dir);

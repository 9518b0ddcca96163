/**
 * A server in a process of its own, so that its memory can be measured: publishes on command.
 *
 * Reads lines from stdin: `publish <count> <burst>`, `memory`, `end`; answers each with one line.
 */
import { Registry } from "../../src/registry/registry.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { serve } from "../../src/server/serve.ts";

const registry = await Registry.open(new MemoryStore({ historyEvents: 10 }));
const server = await serve({
  registry,
  port: 0,
  listener: "ws",
  // Without a ring all growth is what the connections hold.
  limits: { replayRingEvents: 1, sendStallTimeoutMs: 1000 },
});
const endpoints = (note: string) => [
  { name: "http", address: "h:1", protocol: "http" as const, metadata: { note } },
];
await registry.register({
  name: "api",
  version: "1",
  execution: { type: "systemd_service", unit_name: "api" },
  endpoints: endpoints(""),
});
say(`${server.port}`);

for await (const line of lines()) {
  const [command, count, burst] = line.split(" ");
  if (command === "publish") await publish(Number(count), Number(burst));
  if (command === "memory") say(`${memory()}`);
  if (command === "end") break;
}
await server.shutdown();
await registry.close();

/** Events of about 4 kB, a burst every 10 ms: bursts of 10 are 1,000 a second. */
async function publish(count: number, burst: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await registry.update("api", { endpoints: endpoints(`${i} ${"x".repeat(4000)}`) });
    // The pace of the bursts.
    if (i % burst === burst - 1) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  say(`${registry.seq}`);
}

/** Resident memory after everything collectable was collected. */
function memory(): number {
  const { gc } = globalThis as { gc?: () => void };
  for (let i = 0; i < 3; i++) gc?.();
  return Deno.memoryUsage().rss;
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text} ${server.connections}\n`));
}

async function* lines(): AsyncGenerator<string> {
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

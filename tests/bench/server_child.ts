/**
 * The server side of server_bench.ts, in a process of its own: ours, or a bare `Deno.serve` to compare with.
 *
 * Arguments: `deno`, `ws` or `bare`. Reads `publish <count> <burst>` lines from stdin.
 */
import { Registry } from "../../src/registry/registry.ts";
import { serve } from "../../src/server/serve.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";

const kind = Deno.args[0] ?? "deno";
// The bench answers no pings.
const limits = { maxRequestsPerSecond: 1e9, maxConnections: 1e6, pingIntervalMs: 3_600_000 };
const registry = await Registry.open(new MemoryStore());
await registry.register({
  name: "api",
  version: "1",
  execution: { type: "systemd_service", unit_name: "api" },
});
const { port, broadcast } = kind === "bare" ? bare() : await ours(kind === "ws" ? "ws" : "deno");
Deno.stdout.writeSync(new TextEncoder().encode(`${port}\n`));

let rest = "";
for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + text).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) {
    const [, count, burst] = line.split(" ").map(Number);
    for (let i = 0; i < (count ?? 0); i++) {
      await broadcast(i);
      if (i % (burst ?? 1) === 0) await new Promise((resolve) => setTimeout(resolve));
    }
  }
}

async function ours(listener: "deno" | "ws") {
  const server = await serve({ registry, port: 0, listener, limits, auth: { anonymous: "full" } });
  return {
    port: server.port,
    broadcast: async (i: number) => {
      const address = `127.0.0.1:${1024 + (i % 60_000)}`;
      const endpoints = [{ name: "http", address, protocol: "http" as const, metadata: {} }];
      await registry.update("api", { endpoints });
    },
  };
}

/** What Deno's own sockets can do when nothing is between: no filter, no sequence, no limit. */
function bare() {
  const sockets = new Set<WebSocket>();
  const entry = JSON.stringify(registry.get("api"));
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    socket.onopen = () => {
      sockets.add(socket);
      socket.send("hello");
    };
    socket.onmessage = ({ data }) => {
      const { id } = JSON.parse(data);
      socket.send(`{"id":${JSON.stringify(id)},"type":"response","data":${entry}}`);
    };
    return response;
  });
  const text = "x".repeat(230);
  return {
    port: server.addr.port,
    broadcast: (_: number) => {
      for (const socket of sockets) socket.send(text);
      return Promise.resolve();
    },
  };
}

// deno-lint-ignore-file no-console
/**
 * Serves HTTP, registers itself with a lease, and is found by its name: run it twice with two names, and each finds the
 * other.
 *
 * ```sh
 * deno run --allow-net --allow-env examples/lease.ts ping pong
 * deno run --allow-net --allow-env examples/lease.ts pong ping
 * ```
 *
 * Ctrl-C removes the entry. After `kill -9` it is `failed` within the lease, 5 s, and is no longer resolved.
 *
 * @module
 */
import process from "node:process";
import { createServer } from "node:http";
import { HarnessError, RegistryClient } from "@harness/service-registry/client";

const [name = "ping", peer = "pong"] = process.argv.slice(2);
const token = process.env["HARNESS_TOKEN"];
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => stop.abort());

const http = createServer((_, response) => response.end(`this is ${name}\n`));
await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
const address = http.address();
const port = typeof address === "object" ? address?.port : undefined;

{
  await using client = await RegistryClient.connect(
    process.env["HARNESS_URL"] ?? "ws://127.0.0.1:8080",
    { ...(token === undefined ? {} : { token }), waitForServer: true, signal: stop.signal },
  );
  await using lease = await client.keepAlive({
    name,
    version: "1.0.0",
    execution: { type: "managed_process", command: process.execPath, pid: process.pid },
    endpoints: [{ name: "http", address: `127.0.0.1:${port}`, protocol: "http" }],
    ttl_ms: 5_000,
  }, {
    onStatus: (status) => console.error(`lease ${status.type}`),
  });
  console.log(`${lease.id} is running`);

  while (!stop.signal.aborted) {
    try {
      const [found] = await client.resolveEndpoint(peer, { waitForConnection: true });
      const response = await fetch(`http://${found?.address}/`);
      console.log(`${peer} says: ${(await response.text()).trim()}`);
    } catch (error) {
      // Not registered yet, or nothing of it is running; anything else is a real error.
      const code = error instanceof HarnessError ? error.code : String(error);
      console.log(`${peer} cannot be reached: ${code}`);
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 1_000);
      stop.signal.addEventListener("abort", () => (clearTimeout(timer), resolve()));
    });
  }
} // The lease is released and the connection closed, in this order.
http.close();

// deno-lint-ignore-file no-console
/**
 * Follows the services of a server with the client library, across restarts of the server.
 *
 * ```sh
 * deno run --allow-net --allow-env examples/watch.ts ws://127.0.0.1:8080
 * ```
 *
 * @module
 */
import process from "node:process";
import { RegistryClient } from "@harness/service-registry/client";

const token = process.env["HARNESS_TOKEN"];
await using client = await RegistryClient.connect(process.argv[2] ?? "ws://127.0.0.1:8080", {
  ...(token === undefined ? {} : { token }),
  onStatus: (status) => console.error(status.type),
});

for await (const item of client.events({ snapshot: true })) {
  if (item.kind === "snapshot") {
    // Also when events were missed for good: forget what was known, this is the truth.
    for (const { id, state } of item.services) console.log(id, state);
  } else if (item.kind === "event" && item.event === "service_state_changed") {
    const { id, old_state, new_state, reason } = item.data;
    console.log(id, old_state, "->", new_state, reason ?? "");
  }
}

// deno-lint-ignore-file no-console
/**
 * Follows the services of a server, across restarts of the server and, with a file for its position, of itself: nothing
 * is missed and nothing is reported twice.
 *
 * ```sh
 * deno run -A examples/watch.ts ws://127.0.0.1:8080 position.json
 * ```
 *
 * @module
 */
import { readFile, rename, writeFile } from "node:fs/promises";
import process from "node:process";
import { type Position, RegistryClient } from "@harness/service-registry/client";

const [url = "ws://127.0.0.1:8080", file] = process.argv.slice(2);
const token = process.env["HARNESS_TOKEN"];
const client = await RegistryClient.connect(url, {
  ...(token === undefined ? {} : { token }),
  onStatus: (status) => console.error(status.type),
});

const since = file === undefined ? undefined : await readPosition(file);
const events = client.events({ since, snapshot: since === undefined });
for await (const item of events) {
  if (item.kind === "snapshot") {
    // Also when events were missed for good: forget what was known, this is the truth.
    for (const { id, state } of item.services) console.log(id, state);
  } else if (item.kind === "event" && item.event === "service_state_changed") {
    const { id, old_state, new_state, reason } = item.data;
    console.log(id, old_state, "->", new_state, reason ?? "");
  }
  // After its work: what is not done yet comes again.
  if (file !== undefined) await writePosition(file, events.position);
}

async function readPosition(file: string): Promise<Position | undefined> {
  const text = await readFile(file, "utf8").catch(() => null);
  return text === null ? undefined : JSON.parse(text);
}

async function writePosition(file: string, position: Position | null): Promise<void> {
  await writeFile(`${file}.part`, JSON.stringify(position));
  await rename(`${file}.part`, file);
}

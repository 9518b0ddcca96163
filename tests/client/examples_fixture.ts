/** The clients of examples/: each against a real server. */
import assert from "node:assert/strict";
import { LineProcess } from "../helpers/lines.ts";
import { service, startServer } from "../helpers/test_server.ts";
import { fromFileUrl } from "./paths.ts";

/** The file of an example. */
export function example(name: string): string {
  return fromFileUrl(`../../examples/${name}`);
}

/** Runs a client that lists the services, subscribes, and prints changes of state. */
export async function checkClient(
  command: string,
  args: (url: URL) => string[],
  subscribed: string | null,
): Promise<void> {
  await using server = await startServer({ listener: "deno" });
  await server.registry.register(service("web"));
  await using client = new LineProcess(command, args(new URL(server.url)));
  assert.equal(await client.line(), "web registered");
  if (subscribed !== null) assert.equal(await client.line(), subscribed);
  await server.registry.update("web", { state: "starting" });
  assert.equal((await client.line()).trim(), "web registered -> starting");
}

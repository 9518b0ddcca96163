/** A server in a process of its own, so that a test can kill it: `server_child.ts <port> <state dir>`. */
import { Registry } from "../../src/registry/registry.ts";
import { serve } from "../../src/server/serve.ts";
import { FileStore } from "../../src/storage/file_store.ts";

const [port = "0", dir = ""] = Deno.args;
const token = Deno.env.get("TEST_TOKEN");
const auth = token === undefined ? {} : { tokens: [token], allowOrigins: ["*"] };
const registry = await Registry.open(new FileStore({ dir }));
const server = await serve({ registry, port: Number(port), auth });
await Deno.stdout.write(new TextEncoder().encode(`${server.port}\n`));

/** A server for one client, on any runtime: prints its port. */
import process from "node:process";
import { Registry } from "../../src/registry/registry.ts";
import { serve } from "../../src/server/serve.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";

const server = await serve({ registry: await Registry.open(new MemoryStore()), port: 0 });
process.stdout.write(`${server.port}\n`);

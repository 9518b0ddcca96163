/** A server over a registry in memory, for tests of the protocol. */
import { Registry } from "../../src/registry/registry.ts";
import type { ServiceInput } from "../../src/model/service.ts";
import { serve, type ServeOptions, type WsServer } from "../../src/server/serve.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";

/** The listener by its present name; the other one, `deno`, means the same (`shutdown_test.ts`). */
export const LISTENERS = ["ws"] as const;

/** A running server and its registry. */
export interface TestServer extends AsyncDisposable {
  readonly registry: Registry;
  readonly server: WsServer;
  /** WebSocket address. */
  readonly url: string;
  /** HTTP address. */
  readonly http: string;
}

/** Starts a server on a free port. */
export async function startServer(
  options: Partial<ServeOptions> & { listener: "deno" | "ws" },
): Promise<TestServer> {
  const registry = options.registry ?? await Registry.open(new MemoryStore());
  // Most tests are not about rights: those give `auth`.
  const server = await serve({ port: 0, auth: { anonymous: "full" }, ...options, registry });
  return {
    registry,
    server,
    url: server.url,
    http: server.url.replace(/^ws/, "http"),
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      if (options.registry === undefined) await registry.close();
    },
  };
}

/** A small valid service. */
export function service(name: string, more: Partial<ServiceInput> = {}): ServiceInput {
  return {
    name,
    version: "1.0.0",
    execution: { type: "managed_process", command: "/bin/true", args: [], pid: null },
    ...more,
  };
}

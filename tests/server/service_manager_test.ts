/** What an operator does with restarts that an earlier one planned, and with late reports. */
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { localExecutor } from "../../src/executor/local.ts";
import type { Execution } from "../../src/model/service.ts";
import type { RestartSpec } from "../../src/package/manifest/manifest.ts";
import { Registry } from "../../src/registry/registry.ts";
import type { DocumentStore } from "../../src/server/backends.ts";
import { HostConnections } from "../../src/server/hosts/host_connections.ts";
import type { Host } from "../../src/server/hosts/host_directory.ts";
import { ServiceManager } from "../../src/server/services/service_manager.ts";
import { describedPlacement } from "../../src/server/services/entry_spec.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { service } from "../helpers/test_server.ts";
import { untilPasses } from "../helpers/raw_client.ts";

const execution: Execution = {
  type: "managed_process",
  command: "/bin/sleep",
  args: ["600"],
  pid: null,
};
const planned = {
  attempts: 1,
  history: [{ at: "2026-11-23T11:57:19.024Z", reason: "ended by SIGKILL" }],
  planned: true,
};

/** Documents in memory; `hold` makes the next write of a collection wait. */
class Held implements DocumentStore {
  readonly kept = new Map<string, Map<string, unknown>>();
  hold: { collection: string; reached: () => void; go: Promise<void> } | null = null;

  async put(collection: string, id: string, value: unknown): Promise<void> {
    const { hold } = this;
    if (hold?.collection === collection) {
      this.hold = null;
      hold.reached();
      await hold.go;
    }
    this.#of(collection).set(id, structuredClone(value));
  }
  list(collection: string) {
    return Promise.resolve([...this.#of(collection)].map(([id, value]) => ({ id, value })));
  }
  remove(collection: string, id: string): Promise<void> {
    this.#of(collection).delete(id);
    return Promise.resolve();
  }
  #of(collection: string): Map<string, unknown> {
    const found = this.kept.get(collection) ?? new Map<string, unknown>();
    this.kept.set(collection, found);
    return found;
  }
}

/** A registry with one service "api", and operators over it. */
class Setup implements AsyncDisposable {
  readonly documents = new Held();
  readonly #stack = new AsyncDisposableStack();
  connect: () => Promise<ReturnType<typeof localExecutor>> = () => Promise.resolve(localExecutor());

  private constructor(readonly registry: Registry, readonly dir: string) {
    this.#stack.defer(() => Deno.remove(dir, { recursive: true }));
    this.#stack.use(registry);
  }

  static async make(restart: RestartSpec): Promise<Setup> {
    const dir = await Deno.makeTempDir({ prefix: "harness-services-" });
    const setup = new Setup(await Registry.open(new MemoryStore()), dir);
    const entry = await setup.registry.register(service("api", { execution }));
    const place = { hosts: { resolve: () => ({ installRoot: dir }) } as never, localRunRoot: dir };
    const { spec } = describedPlacement(entry, place);
    const placement = {
      id: "api",
      target: "local",
      spec: { ...spec, restart },
      origin: "deployed",
    };
    await setup.documents.put("placements", "api", placement);
    return setup;
  }

  async services(): Promise<ServiceManager> {
    const connections = this.#stack.use(new HostConnections());
    const host: Host = {
      label: "local",
      key: "local",
      installRoot: this.dir,
      location: { type: "local" },
      target: "local",
      connect: () => this.connect(),
    } as unknown as Host;
    const { registry, documents, dir } = this;
    const hosts = { resolve: () => host };
    return await ServiceManager.open({
      registry,
      documents,
      hosts,
      connections,
      localRunRoot: dir,
    });
  }

  pid(): number {
    const { execution } = this.registry.get("api");
    assert.ok(execution.type === "managed_process" && execution.pid !== null);
    return execution.pid;
  }

  memory(): { planned: boolean; attempts: number } | undefined {
    return this.documents.kept.get("restarts")?.get("api") as ReturnType<Setup["memory"]>;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

const act = (services: ServiceManager, action: "start" | "stop") =>
  services.act({ name: "api", action }, { signal: new AbortController().signal } as never);

Deno.test("ServiceManager: a restart that worked is no longer due", async () => {
  await using setup = await Setup.make({ policy: "always", maxRetries: 3, backoffMs: 1 });
  await using services = await setup.services();
  await act(services, "start");
  const before = setup.pid();
  Deno.kill(before, "SIGKILL");
  await untilPasses(() => assert.equal(setup.memory()?.planned, true));
  await untilPasses(() => assert.equal(setup.memory()?.planned, false));
  assert.equal(setup.memory()?.attempts, 1);
  assert.equal(setup.registry.get("api").state, "running");
  assert.notEqual(setup.pid(), before);
  await act(services, "stop");
});

Deno.test("ServiceManager: a stop cancels a restart that is due", async () => {
  await using setup = await Setup.make({ policy: "always", maxRetries: 3, backoffMs: 300_000 });
  const { registry, documents } = setup;
  await registry.update("api", { state: "failed", state_reason: "ended by SIGKILL" });
  await documents.put("restarts", "api", { id: "api", ...planned });
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<ReturnType<typeof localExecutor>>();
  setup.connect = () => {
    asked.resolve();
    return answer.promise;
  };
  await using services = await setup.services();
  await asked.promise;
  const stopped = act(services, "stop");
  answer.reject(new HarnessError("unreachable", "Cannot reach it"));
  await assert.rejects(stopped, { code: "unreachable" });
  assert.equal(setup.memory(), undefined);
  // Nothing waits for its turn any more either: a second stop has nothing to drop.
  await assert.rejects(act(services, "stop"), { code: "invalid_transition" });
});

Deno.test("ServiceManager: ignores a late crash of an earlier entry", async () => {
  await using setup = await Setup.make({ policy: "always", maxRetries: 3, backoffMs: 300_000 });
  const { registry, documents } = setup;
  const reached = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  await using services = await setup.services();
  await act(services, "start");
  documents.hold = { collection: "restarts", reached: reached.resolve, go: go.promise };
  Deno.kill(setup.pid(), "SIGKILL");
  await reached.promise;
  await registry.deregister("api");
  await registry.register(service("api", { execution }));
  go.resolve();
  await untilPasses(() => assert.equal(services.ownership.isPlaced("api"), false));
  assert.equal(registry.get("api").state, "registered");
  assert.equal(setup.memory(), undefined);
});

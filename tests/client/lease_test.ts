import assert from "node:assert/strict";
import { type LeaseStatus, RegistryClient, type ServiceInput } from "../../src/client/mod.ts";
import { LeaseTurns } from "../../src/client/lease_turns.ts";
import { MAX_CLIENT_HEARTBEATS } from "../../src/client/limits.ts";
import { eventually } from "../helpers/raw_client.ts";
import { failure } from "../helpers/rejects.ts";
import { service, startServer, type TestServer } from "../helpers/test_server.ts";
import { KillableServer } from "./killable_server.ts";

const endpoints = [{
  name: "http",
  address: "127.0.0.1:80",
  protocol: "http",
  metadata: {},
}] as const;

function leased(name: string, more: Partial<ServiceInput> = {}): ServiceInput {
  return service(name, { endpoints: [...endpoints], ttl_ms: 1_500, ...more });
}

/** A server, a client, and what a lease reports. */
async function setup(): Promise<
  & { server: TestServer; client: RegistryClient; statuses: string[] }
  & { onStatus: (status: LeaseStatus) => void }
  & AsyncDisposable
> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startServer({ listener: "deno" }));
  const client = stack.use(await RegistryClient.connect(server.url));
  const statuses: string[] = [];
  const owned = stack.move();
  return {
    server,
    client,
    statuses,
    onStatus: (status) => {
      const more = status.type === "regained" ? status.registered : status.error?.code;
      statuses.push(more === undefined ? status.type : `${status.type} ${more}`);
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

Deno.test("keepAlive: resolves at once, beyond its ttl, until the end", async () => {
  await using it = await setup();
  const { registry } = it.server;
  const failed: string[] = [];
  registry.subscribe((event) => {
    if (event.event === "service_state_changed" && event.data.new_state === "failed") {
      failed.push(event.data.id);
    }
  });
  {
    await using lease = await it.client.keepAlive(leased("web"), it);
    assert.deepEqual(registry.resolve("web").map(({ id }) => id), ["web"]);
    assert.deepEqual([lease.id, lease.isHeld, lease.entry.ttl_ms], ["web", true, 1_500]);
    // Another lease of the same length shows that the time has passed.
    await it.client.registerService(leased("other"));
    await eventually(() => failed.length > 0, "the other one expires");
    assert.deepEqual(failed, ["other"]);
    assert.equal(registry.get("web").state, "running");
  }
  assert.equal((await failure(it.client.getService("web"))).code, "not_found");
  assert.deepEqual(it.statuses, ["ended"]);
});

Deno.test("keepAlive: a stopped one comes back at its next run", async () => {
  await using it = await setup();
  const { registry } = it.server;
  for (const round of [1, 2]) {
    const lease = await it.client.keepAlive(leased("web"), { onRelease: "stop" });
    assert.equal(registry.get("web").state, "running", `run ${round}`);
    await lease.release();
    assert.equal(await lease.ended, null);
    assert.equal(registry.get("web").state, "stopped");
  }
  // By its name alone, too, and out of every state that an earlier run may have left.
  for (const state of ["starting", "running", "stopping", "stopped", "failed"] as const) {
    await using lease = await it.client.keepAlive("web");
    assert.equal(registry.get("web").state, "running");
    await lease.release("leave");
    if (state === "failed") await registry.update("web", { state });
    if (state === "stopping") await registry.update("web", { state });
  }
});

Deno.test("keepAlive: refuses what has no lease and what is not there", async () => {
  await using it = await setup();
  await it.client.registerService(service("plain"));
  assert.equal((await failure(it.client.keepAlive("plain"))).code, "invalid_params");
  assert.equal((await failure(it.client.keepAlive("nobody"))).code, "not_found");
  await using lease = await it.client.keepAlive(service("plain"));
  assert.equal(lease.entry.ttl_ms, 15_000, "a service without ttl_ms gets a lease");
});

Deno.test("keepAlive: revives what missed its heartbeats", async () => {
  await using it = await setup();
  const { registry } = it.server;
  await using _ = await it.client.keepAlive(leased("web"));
  await registry.update("web", { state: "failed", state_reason: "heartbeat missed" });
  const reason = () => registry.get("web").state_reason;
  await eventually(() => reason() === "heartbeat returned", "it is back");
});

Deno.test("keepAlive: leaves a state that somebody set", async () => {
  await using it = await setup();
  const { registry } = it.server;
  await using _ = await it.client.keepAlive(leased("web"));
  await registry.update("web", { state: "failed", state_reason: "taken out" });
  await using other = await it.client.keepAlive(leased("other"));
  await it.server.registry.deregister("other");
  await eventually(() => registry.list({ state: "running" }).length === 1, "it is back");
  assert.equal(registry.get("other").state, "running");
  assert.deepEqual([registry.get("web").state_reason, other.isHeld], ["taken out", true]);
});

Deno.test("keepAlive: registers what was removed, or ends", async () => {
  await using it = await setup();
  const { registry } = it.server;
  await using _ = await it.client.keepAlive(leased("web"), it);
  await registry.deregister("web");
  await eventually(() => it.statuses.length === 2, "it is back");
  assert.deepEqual(it.statuses, ["lost not_found", "regained true"]);
  assert.equal(registry.get("web").state, "running");

  await using once = await it.client.keepAlive(leased("once"), { reregister: false });
  await registry.deregister("once");
  assert.equal((await once.ended)?.code, "not_found");
  assert.equal(once.isHeld, false);
});

Deno.test("keepAlive: a signal releases, or cancels the start", async () => {
  await using it = await setup();
  const stop = new AbortController();
  const lease = await it.client.keepAlive(leased("web"), { signal: stop.signal });
  stop.abort();
  assert.equal(await lease.ended, null);
  assert.equal(it.server.registry.size, 0);
  const late = it.client.keepAlive(leased("web"), { signal: stop.signal });
  assert.equal((await failure(late)).code, "cancelled");
});

Deno.test("keepAlive: a start that is cancelled leaves nothing", async () => {
  await using it = await setup();
  const { registry } = it.server;
  // Cancelled at each of its requests: the registration, and the first heartbeat.
  for (const event of ["service_registered", "service_state_changed"] as const) {
    const stop = new AbortController();
    const end = registry.subscribe((seen) => seen.event === event && stop.abort());
    const error = await failure(it.client.keepAlive(leased("web"), { signal: stop.signal }));
    end();
    assert.equal(error.code, "cancelled");
    await eventually(() => registry.size === 0, "it is removed");
  }
});

Deno.test("keepAlive: ends with its client, and the entry expires", async () => {
  await using it = await setup();
  const { registry } = it.server;
  const lease = await it.client.keepAlive(leased("web"), it);
  await it.client.close();
  assert.equal(await lease.ended, null);
  await lease.release();
  assert.deepEqual(it.statuses, ["ended"]);
  const reason = () => registry.get("web").state_reason;
  await eventually(() => reason() === "heartbeat missed", "it expires");
});

Deno.test("keepAlive: survives a server that lost its data", async () => {
  await using server = await KillableServer.start();
  await using client = await RegistryClient.connect(server.url, {
    reconnect: { minDelayMs: 20, maxDelayMs: 200 },
  });
  const names = Array.from({ length: 200 }, (_, i) => `web-${i}`);
  const leases = await Promise.all(names.map((name) => {
    return client.keepAlive(leased(name, { ttl_ms: 30_000 }));
  }));
  await server.kill();
  await server.wipe();
  await server.start();
  // No lease is due for many seconds: the new connection is what brings them back.
  await eventually(async () => {
    const running = await client.listServices({ state: "running" }, { waitForConnection: true });
    return running.length === names.length;
  }, "all are back");
  assert.ok(leases.every(({ isHeld }) => isHeld));
  await Promise.all(leases.map((lease) => lease.release()));
  assert.deepEqual(await client.listServices(), []);
});

Deno.test("LeaseTurns: runs only so many at once, and all in the end", async () => {
  const turns = new LeaseTurns();
  let running = 0;
  let most = 0;
  let done = 0;
  const one = async (i: number) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 0));
    running--;
    done++;
    if (i % 7 === 0) throw new Error("a failed one gives its turn away, too");
  };
  await Promise.allSettled(Array.from({ length: 500 }, (_, i) => turns.run(() => one(i))));
  assert.deepEqual([most, running, done], [MAX_CLIENT_HEARTBEATS, 0, 500]);
});

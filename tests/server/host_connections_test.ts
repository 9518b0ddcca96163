import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { HostConnections, type HostExecutor } from "../../src/server/hosts/host_connections.ts";
import type { Host } from "../../src/server/hosts/host_directory.ts";

/** A connection that knows whether it was closed, and can break. */
class Connection implements HostExecutor {
  readonly host = "web1";
  closed = false;
  broken = false;

  run(): ReturnType<HostExecutor["run"]> {
    if (this.broken) return Promise.reject(new HarnessError("unreachable", "it broke"));
    return Promise.resolve({ exitCode: 0, signal: null, stdout: "", stderr: "" } as never);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

class Logins {
  readonly made: Connection[] = [];
  readonly host = {
    key: "web1",
    label: "web1",
    connect: () => {
      const connection = new Connection();
      this.made.push(connection);
      return Promise.resolve(connection);
    },
  } as unknown as Host;
}

const { signal } = new AbortController();

Deno.test("HostConnections: uses a connection that it was given", async () => {
  const logins = new Logins();
  const given = new Connection();
  {
    await using connections = new HostConnections();
    assert.equal(connections.adopt("web1", given), true);
    await (await connections.open(logins.host, signal)).run({ argv: ["true"] });
    assert.deepEqual([logins.made.length, given.closed], [0, false]);
  }
  assert.equal(given.closed, true);
});

Deno.test("HostConnections: replaces a given one that breaks", async () => {
  await using connections = new HostConnections();
  const logins = new Logins();
  const given = new Connection();
  connections.adopt("web1", given);
  const executor = await connections.open(logins.host, signal);
  given.broken = true;
  await assert.rejects(executor.run({ argv: ["true"] }), { code: "unreachable" });
  await (await connections.open(logins.host, signal)).run({ argv: ["true"] });
  assert.deepEqual([logins.made.length, given.closed], [1, true]);
});

Deno.test("HostConnections: takes none where it has one or is closed", async () => {
  const connections = new HostConnections();
  const logins = new Logins();
  await connections.open(logins.host, signal);
  assert.equal(connections.adopt("web1", new Connection()), false);
  await connections[Symbol.asyncDispose]();
  assert.equal(connections.adopt("web2", new Connection()), false);
});

Deno.test("HostConnections: its end cancels what is being opened", async () => {
  const connections = new HostConnections();
  const silent = {
    key: "web2",
    label: "web2",
    connect: (signal: AbortSignal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  } as unknown as Host;
  const opening = assert.rejects(connections.open(silent, signal), { code: "cancelled" });
  await connections[Symbol.asyncDispose]();
  await opening;
  await assert.rejects(connections.open(silent, signal), { code: "cancelled" });
});

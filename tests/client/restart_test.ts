import assert from "node:assert/strict";
import {
  type ClientStatus,
  type EventStream,
  RegistryClient,
  type StreamItem,
} from "../../src/client/mod.ts";
import { service } from "../helpers/test_server.ts";
import { KillableServer } from "./killable_server.ts";

const reconnect = { minDelayMs: 20, maxDelayMs: 200 };

/** Reads until an item fits; returns all it read. */
async function readUntil(
  stream: EventStream,
  fits: (item: StreamItem) => boolean,
): Promise<StreamItem[]> {
  const items: StreamItem[] = [];
  for (;;) {
    const { done, value } = await stream.next();
    assert(done !== true, "the stream ended");
    items.push(value);
    if (fits(value)) return items;
  }
}

const isRegistered = (id: string) => (item: StreamItem) =>
  item.kind === "event" && item.event === "service_registered" && item.data.id === id;

function seqs(items: StreamItem[]): number[] {
  return items.map((item) => {
    assert(item.kind === "event" && item.seq !== null, `${item.kind} instead of an event`);
    return item.seq;
  });
}

Deno.test("events: no gap when the server is killed", async () => {
  await using server = await KillableServer.start();
  const statuses: ClientStatus[] = [];
  await using client = await RegistryClient.connect(server.url, {
    reconnect,
    onStatus: (status) => statuses.push(status),
  });
  await using stream = client.events();
  await stream.ready;
  for (const name of ["a", "b", "c"]) await client.registerService(service(name));
  const items = await readUntil(stream, isRegistered("b")); // c is still unread
  await server.kill();
  await server.start();
  // Somebody else, perhaps before our client is back: it must hear of it in either case.
  {
    await using other = await RegistryClient.connect(server.url);
    await other.registerService(service("d"));
    await other.registerService(service("e"));
  }
  await client.registerService(service("f"), { waitForConnection: true });
  items.push(...await readUntil(stream, isRegistered("f")));
  assert.deepEqual(seqs(items), [1, 2, 3, 4, 5, 6]);
  const types = statuses.map((status) => status.type);
  assert(types.includes("disconnected") && types.includes("resumed"), types.join());
  assert(!types.includes("snapshot"));
});

Deno.test("events: a snapshot after the server lost its data", async () => {
  await using server = await KillableServer.start();
  await using client = await RegistryClient.connect(server.url, { reconnect });
  await using stream = client.events({ events: ["service_registered"] });
  await stream.ready;
  await client.registerService(service("old"));
  await readUntil(stream, isRegistered("old"));
  const before = stream.position;
  await server.kill();
  await server.wipe();
  await server.start();
  await client.registerService(service("new"), { waitForConnection: true });
  const items = await readUntil(stream, (item) => item.kind === "snapshot");
  const snapshot = items.at(-1);
  assert(items.length === 1 && snapshot?.kind === "snapshot");
  assert.equal(snapshot.why, "events_missed");
  assert.notEqual(snapshot.epoch, before?.epoch);
  const known = snapshot.services.map((entry) => entry.id);
  if (!known.includes("new")) {
    known.push(...(await readUntil(stream, isRegistered("new"))).map(() => "new"));
  }
  assert.deepEqual(known, ["new"]);
});

/** The small parts of the server on their own. */
import { resolveLimits } from "../../src/model/server_limits.ts";
import assert from "node:assert/strict";
import fc from "fast-check";
import type { RegistryEvent } from "../../src/model/event.ts";
import { Registry } from "../../src/registry/registry.ts";
import { EventRing } from "../../src/server/connection/event_ring.ts";
import { Gate } from "../../src/server/gate.ts";
import { ConnectionHandler } from "../../src/server/handler.ts";
import { matchesPackage, parsePackageFile } from "../../src/server/packages/package_files.ts";
import { TokenBucket } from "../../src/server/connection/flood_guard.ts";
import { SendQueue } from "../../src/server/connection/send_queue.ts";
import type { ServerSocket } from "../../src/server/connection/server_socket.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { eventually } from "../helpers/raw_client.ts";
import { service } from "../helpers/test_server.ts";
import { SEED } from "../helpers/seed.ts";

function push(ring: EventRing, seq: number, size = 10): void {
  const time = "2026-11-23T11:57:19.024Z";
  const data = { service: "a", id: "a" };
  const event: RegistryEvent = { event: "service_deregistered", data, seq, time };
  ring.push(event, textOf(seq, size));
}

/** So many characters of one byte each. */
function textOf(seq: number, size: number): string {
  return String(seq % 10).repeat(size);
}

Deno.test("EventRing: every event after a seq, or null, never a part", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1000 }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 300 }),
      fc.integer({ min: 0, max: 1400 }),
      fc.integer({ min: 1, max: 60 }),
      (first, maxEvents, sizes, seq, limit) => {
        const maxChars = 1500;
        const ring = new EventRing(first, { maxSeqs: maxEvents, maxBytes: maxChars });
        sizes.forEach((size, i) => push(ring, first + 1 + i, size));
        assert.equal(ring.seq, first + sizes.length);
        let kept = 0;
        let chars = 0;
        for (const size of sizes.toReversed()) {
          if (kept === maxEvents || chars + size > maxChars) break;
          kept++;
          chars += size;
        }
        assert.ok(ring.covers(ring.seq - kept) && !ring.covers(ring.seq - kept - 1));
        const expected = seq > ring.seq || seq < ring.seq - kept
          ? null
          : Array.from({ length: Math.min(limit, ring.seq - seq) }, (_, i) => seq + 1 + i);
        assert.deepEqual(
          ring.eventsAfter(seq, limit)?.map((item) => item.event.seq) ?? null,
          expected,
        );
      },
    ),
    { seed: SEED },
  );
});

Deno.test("EventRing: texts are the same however it goes round", () => {
  const ring = new EventRing(0, { maxSeqs: 5000, maxBytes: 1024 * 1024 });
  const sizes = [1, 700, 3000, 60_000, 200_000];
  const expected = new Map<number, string>();
  for (let seq = 1; seq <= 2000; seq++) {
    const text = ["x", "é", "字"][seq % 3]?.repeat(sizes[(seq * 7) % 13] ?? 500) ?? "";
    expected.set(seq, `${seq}${text}`);
    const data = { service: `s${seq}`, id: `i${seq}` };
    ring.push({ event: "service_updated", seq, data }, `${seq}${text}`);
    const from = seq - 1 - seq % 4;
    for (const { event, text } of ring.eventsAfter(from, 99) ?? []) {
      assert.equal(text, expected.get(event.seq));
      assert.deepEqual(event.data, { service: `s${event.seq}`, id: `i${event.seq}` });
    }
    assert.ok(ring.bytes <= 1024 * 1024);
  }
});

Deno.test("EventRing: a gap evicts what was before it", () => {
  const ring = new EventRing(0, { maxSeqs: 10, maxBytes: 1000 });
  push(ring, 1);
  push(ring, 5);
  assert.equal(ring.eventsAfter(0, 10), null);
  assert.deepEqual(ring.eventsAfter(4, 10)?.map((item) => item.event.seq), [5]);
});

Deno.test("EventRing: keeps its bounds over many events", () => {
  const ring = new EventRing(0, { maxSeqs: 3000, maxBytes: 1e9 });
  for (let seq = 1; seq <= 20_000; seq++) push(ring, seq);
  assert.ok(ring.covers(17_000) && !ring.covers(16_999));
  assert.equal(ring.bytes, 3000 * 10);
  assert.deepEqual(ring.eventsAfter(19_998, 5)?.map((item) => item.event.seq), [19_999, 20_000]);
  assert.equal(ring.eventsAfter(17_000, 1)?.[0]?.event.seq, 17_001);
  assert.equal(ring.eventsAfter(16_999, 1), null);
});

Deno.test("TokenBucket: allows a burst of twice the rate, then the rate", () => {
  let now = 0;
  const bucket = new TokenBucket(100, () => now);
  const taken = () => {
    let count = 0;
    while (bucket.take()) count++;
    return count;
  };
  assert.equal(taken(), 200);
  assert.equal(bucket.waitMs, 10);
  now = 500;
  assert.equal(taken(), 50);
  now = 60_000;
  assert.equal(taken(), 200);
});

/** A socket that takes only what it is told to. */
class Valve implements ServerSocket {
  queued = 0;
  sent: string[] = [];
  send(text: string): void {
    this.sent.push(text);
    this.queued += text.length;
  }
  close(): void {}
  bufferedBytes(): number {
    return this.queued;
  }
}

Deno.test("SendQueue: pauses at its limit and drops a slow consumer", async () => {
  const valve = new Valve();
  const said: string[] = [];
  const queue = new SendQueue(valve, {
    maxBytes: 16_000,
    stallTimeoutMs: 200,
    onFull: () => said.push("full"),
    onSlow: () => said.push("slow"),
  });
  while (said.length === 0) queue.push("x".repeat(1000));
  assert.ok(valve.queued <= 18_000, `${valve.queued} bytes queued`);
  const ready = queue.ready();
  valve.queued = 8000;
  await ready;
  assert.deepEqual(said, ["full"]);

  // One big response is granted to a peer that has taken what was before it.
  queue.pushLarge("y".repeat(100_000));
  queue.push("z".repeat(3000));
  assert.deepEqual(said, ["full"]);
  await queue.ready();
  assert.deepEqual([said, queue.closed], [["full", "slow"], true]);
  const { length } = valve.sent;
  queue.push("late");
  assert.equal(valve.sent.length, length);
});

Deno.test("SendQueue: bounds frames that cannot wait", () => {
  const valve = new Valve();
  let slow = 0;
  const queue = new SendQueue(valve, {
    maxBytes: 16_000,
    stallTimeoutMs: 60_000,
    onFull: () => {},
    onSlow: () => slow++,
  });
  for (let i = 0; i < 1000; i++) queue.push("x".repeat(100));
  assert.equal(slow, 1);
  assert.ok(valve.queued < 25_000, `${valve.queued} bytes queued`);
});

Deno.test("Connection: sends big answers one by one", async () => {
  await using registry = await Registry.open(new MemoryStore());
  const note = "x".repeat(2000);
  for (let i = 0; i < 50; i++) await registry.register(service(`s-${i}`, { labels: { note } }));
  await using handler = new ConnectionHandler({
    registry,
    limits: { maxSendQueueBytes: 64 * 1024 },
  });
  const valve = new Valve();
  const connection = handler.open(valve);
  valve.sent = [];
  for (let i = 0; i < 60; i++) {
    connection.onMessage(JSON.stringify({ id: `${i}`, type: "request", action: "list_services" }));
  }
  // Each is over 64 KiB: the first one fills the queue, and each one after it fills what was emptied.
  for (let taken = 1; taken <= 60; taken++) {
    await eventually(() => valve.sent.length >= taken, `answer ${taken}`);
    await new Promise((resolve) => setTimeout(resolve, 15)); // who waits looks every 10 ms
    assert.equal(valve.sent.length, taken);
    valve.queued = 0;
  }
  assert.deepEqual(
    valve.sent.map((text) => JSON.parse(text).id),
    Array.from({ length: 60 }, (_, i) => `${i}`),
  );
  connection.onClose();
});

Deno.test("SendQueue.close(): wakes all waiters", async () => {
  const valve = new Valve();
  const queue = new SendQueue(valve, {
    maxBytes: 1000,
    stallTimeoutMs: 60_000,
    onFull: () => {},
    onSlow: () => {},
  });
  queue.push("x".repeat(900));
  const waiting = Promise.all([queue.ready(), queue.ready()]);
  queue.close();
  await waiting;
});

Deno.test("parsePackageFile(): splits names of package build", () => {
  const cases: Array<[string, [string, string] | null]> = [
    ["hello-1.0.0.tar.gz", ["hello", "1.0.0"]],
    ["api-2-1.2.3.tar.gz", ["api-2", "1.2.3"]],
    ["api-1.2.3-4.5.6.tar.gz", ["api", "1.2.3-4.5.6"]],
    ["a_b-1.2.3-rc.1_build.5.tar.gz", ["a_b", "1.2.3-rc.1_build.5"]],
    ["hello.tar.gz", null],
    ["-1.0.0.tar.gz", null],
    ["../hello-1.0.0.tar.gz", null],
    ["hello-1.0.0..tar.gz", null],
    [`${"x".repeat(300)}-1.0.0.tar.gz`, null],
  ];
  for (const [file, expected] of cases) {
    const parsed = parsePackageFile(file);
    assert.deepEqual(parsed === null ? null : [parsed.name, parsed.version], expected, file);
  }
  assert.ok(matchesPackage("my_app-1.0.0_b.tar.gz", "my@app@1.0.0+b"));
  assert.ok(!matchesPackage("hello-1.0.0.tar.gz", "hello"));
});

Deno.test("resolveLimits(): overrides defaults, ignores undefined", () => {
  const limits = resolveLimits({ maxConnections: 5, maxMessageBytes: undefined } as object);
  assert.deepEqual([limits.maxConnections, limits.maxMessageBytes], [5, 262144]);
});

Deno.test("Gate: a place is kept until it is given up", async () => {
  const registry = await Registry.open(new MemoryStore());
  await using gate = new Gate({
    registry,
    auth: { anonymous: "full" },
    limits: { maxConnectionsPerAddress: 1 },
  });
  const request = new Request("http://localhost/", {
    headers: {
      ...{ host: "localhost", connection: "Upgrade", upgrade: "websocket" },
      ...{ "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" },
    },
  });
  const first = gate.checkUpgrade(request, "192.0.2.1");
  assert.ok(first.ok);
  // Nothing serves yet.
  assert.throws(() => gate.open(new Valve(), first.admission));
  assert.equal(gate.connections, 1);
  gate.abandon(first.admission);
  assert.equal(gate.connections, 0);
  assert.ok(gate.checkUpgrade(request, "192.0.2.1").ok);
});

Deno.test("Gate: closes what is loaded after its end", async () => {
  const registry = await Registry.open(new MemoryStore());
  const gate = new Gate({ registry });
  await gate.shutdown();
  let closed = 0;
  const clients = { open: () => assert.fail("nobody comes"), close: () => void closed++ };
  gate.serveWith(() => clients);
  gate.serveWith(() => clients);
  assert.equal(closed, 1);
});

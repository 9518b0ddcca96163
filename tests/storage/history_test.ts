/** `history()` over what is kept in memory and what is read from the journal, bounded by bytes. */
import assert from "node:assert/strict";
import type { RegistryEvent } from "../../src/model/event.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { ChangeRing } from "../../src/storage/change_ring.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { localDisk } from "../../src/storage/disk.ts";
import { encodeRecord } from "../../src/storage/journal/line.ts";
import { LineRing } from "../../src/storage/line_ring.ts";
import { load } from "../../src/storage/load.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { MemoryDisk } from "../helpers/memory_disk.ts";
import { History, withRegistry, withTempDir } from "./recording.ts";

const LISTENER = { onCommit: () => {}, onLeaseExpired: () => {} };

/** The numbers from one to another. */
function seqs(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** Small files, and memory for a few changes only. */
const TUNING = { segmentBytes: 3_000, historyBytes: 2_000, historyEvents: 100_000 };

/** All events, read in parts. */
async function readAll(
  registry: Registry,
  { from = 0, limit = 7, maxBytes = 1500 } = {},
): Promise<RegistryEvent[]> {
  const events: RegistryEvent[] = [];
  for (let at = from; at < registry.seq;) {
    const part = await registry.history(at, limit, maxBytes);
    assert.ok(part !== null && part.length > 0, `nothing after ${at}`);
    assert.ok(part.length <= limit);
    assert.ok(part.length <= 2 || JSON.stringify(part).length < 3 * maxBytes);
    events.push(...part);
    at = part.at(-1)?.seq ?? 0;
  }
  return events;
}

Deno.test("FileStore.history: memory first, then the journal", async () => {
  await withTempDir(async (dir) => {
    const told: RegistryEvent[] = [];
    await withRegistry({ dir, tuning: TUNING }, async (registry) => {
      registry.subscribe((event) => told.push(event));
      await registry.register(serviceInput("web"));
      for (let i = 0; i < 150; i++) await registry.update("web", { version: `1.${i}.0` });
      await registry.update("web", { version: "2.0.0", state: "starting" }); // two events
      assert.deepEqual(await readAll(registry), told);
      assert.deepEqual(await readAll(registry, { limit: 1 }), told);
      assert.deepEqual(await readAll(registry, { from: 77, maxBytes: 1 }), told.slice(77));
      assert.deepEqual(await registry.history(0, 0), []);
      assert.deepEqual(await registry.history(registry.seq, 9), []);
      assert.equal(await registry.history(registry.seq + 1, 9), null);
    });
    await withRegistry({ dir, tuning: TUNING }, async (registry) => {
      assert.deepEqual(await readAll(registry), told);
      await registry.update("web", { version: "3.0.0" });
      assert.equal((await readAll(registry)).length, told.length + 1);
    });
  });
});

Deno.test("FileStore.history: finds its place while files change", async () => {
  await withTempDir(async (dir) => {
    await withRegistry({ dir, tuning: TUNING }, async (registry) => {
      await registry.register(serviceInput("web"));
      let writing = true;
      const writer = (async () => {
        for (let i = 0; i < 300; i++) await registry.update("web", { version: `1.${i}.0` });
        writing = false;
      })();
      const readers = Array.from({ length: 10 }, async (_, k) => {
        do {
          await new Promise((resolve) => setTimeout(resolve, 1));
          const events = await readAll(registry, { limit: 1 + 5 * k });
          assert.deepEqual(events.map(({ seq }) => seq), events.map((_, i) => i + 1));
        } while (writing);
      });
      await Promise.all([writer, ...readers]);
    });
  });
});

Deno.test("FileStore.history: returns nothing of an older epoch", async () => {
  await withTempDir(async (dir) => {
    const tuning = { ...TUNING, snapshotDelayMs: 5 };
    await withRegistry({ dir, tuning }, async (registry) => {
      await registry.register(serviceInput("web"));
      for (let i = 0; i < 50; i++) await registry.update("web", { version: `1.${i}.0` });
    });
    for await (const { name } of Deno.readDir(dir)) {
      if (!name.startsWith("registry.journal.0")) continue;
      const text = await Deno.readTextFile(`${dir}/${name}`);
      await Deno.writeTextFile(`${dir}/${name}`, text.replace('"put"', '"pxt"')); // damage
      break;
    }
    await withRegistry({ dir, tuning }, async (registry) => {
      assert.equal(await registry.history(registry.seq - 1, 9), null);
      const { seq } = registry;
      await registry.update("web", { version: "2.0.0" });
      assert.equal((await registry.history(seq, 9))?.length, 1);
    });
  });
});

Deno.test("LineRing: bounded, and the same however it goes round", () => {
  const ring = new LineRing(0, 4_000);
  for (let seq = 0, change = 1; change <= 2000; change++) {
    const first = seq + 1;
    seq += 1 + change % 3;
    const id = `web-${"x".repeat([5_000, 3_000][change % 50] ?? change % 40)}`;
    const events = seqs(first, seq).map((seq): RegistryEvent => ({
      event: "service_deregistered",
      data: { service: "web", id },
      seq,
      time: "t",
    }));
    ring.add(first, seq, encodeRecord({ seq, time: "t", events }));
    assert.ok(ring.bytes <= 4_000, `${ring.bytes} bytes at ${seq}`);
    for (const after of [ring.floor, seq - 1, seq]) {
      const found = ring.eventsAfter({ after, limit: 1_000, maxBytes: 1e6 });
      if (after < ring.floor) assert.equal(found, null);
      else assert.deepEqual(found?.map((event) => event.seq), seqs(after + 1, seq));
      if (found?.at(-1) !== undefined) assert.deepEqual(found.at(-1), events.at(-1));
    }
    assert.equal(ring.eventsAfter({ after: ring.floor - 1, limit: 9, maxBytes: 1e6 }), null);
    assert.equal(ring.eventsAfter({ after: seq + 1, limit: 9, maxBytes: 1e6 }), null);
  }
});

Deno.test("LineRing: an answer has few events and few bytes", () => {
  const ring = new LineRing(0, 4_000);
  for (let seq = 1; seq <= 100; seq++) {
    const data = { service: "web", id: "web" };
    const events: RegistryEvent[] = [{ event: "service_deregistered", data, seq, time: "t" }];
    ring.add(seq, seq, encodeRecord({ seq, time: "t", events }));
  }
  const all = { after: ring.floor, limit: 1_000, maxBytes: 1e6 };
  const kept = ring.seq - ring.floor;
  assert.equal(ring.eventsAfter(all)?.length, kept);
  assert.equal(ring.eventsAfter({ ...all, limit: kept - 1 })?.length, kept - 1);
  assert.equal(ring.eventsAfter({ ...all, maxBytes: 1 })?.length, 1);
  const some = ring.eventsAfter({ ...all, maxBytes: 2_000 })?.length ?? 0;
  assert.ok(some > 1 && some < kept, `${some} of ${kept}`);
  assert.deepEqual(ring.eventsAfter({ ...all, limit: 0 }), []);
});

Deno.test("ChangeRing: bounded by bytes and by count", () => {
  const ring = new ChangeRing(0, { keep: 100, maxBytes: 1000 });
  for (let seq = 1; seq <= 5000; seq++) {
    ring.add({ first: seq, seq, bytes: seq % 10 === 0 ? 300 : 10, read: () => [] });
    assert.ok(ring.bytes <= 1000, `${ring.bytes} bytes at ${seq}`);
  }
  assert.ok(ring.seq - ring.floor > 10);
  ring.add({ first: 5001, seq: 5001, bytes: 5000, read: () => [] }); // larger than all of it
  assert.equal(ring.floor, 5001);
  assert.equal(ring.eventsAfter(5000, 9), null);
});

Deno.test("load: keeps the changes after the snapshot, few before", async () => {
  await withTempDir(async (dir) => {
    const history = new History();
    await withRegistry({ dir, tuning: TUNING }, async (registry) => {
      await registry.register(serviceInput("web"));
      for (let i = 0; i < 500; i++) await registry.update("web", { version: `1.${i}.0` });
    }, history);
    const loaded = await load(localDisk(), dir, { keep: 100_000, maxBytes: 2000 });
    assert.equal(loaded.seq, history.seq);
    assert.ok(loaded.chain.lines.length < 20, `${loaded.chain.lines.length} lines in memory`);
    assert.ok(loaded.ring.bytes <= 2000);
    assert.ok(loaded.chain.finished.length > 20);
  });
});

Deno.test("FileStore.commit: refuses when too many bytes wait", async () => {
  await withTempDir(async (dir) => {
    const store = new FileStore({ dir, disk: new MemoryDisk(), tuning: { pendingBytes: 100_000 } });
    await store.open(LISTENER);
    const message = "x".repeat(20_000);
    const results = await Promise.allSettled(Array.from({ length: 20 }, () =>
      store.commit({
        time: "t",
        events: [{
          event: "deployment_progress",
          data: {
            deployment_id: "d",
            service: "web",
            id: null,
            host: null,
            step: "start",
            status: "done",
            message,
            at: "t",
          },
        }],
      })));
    const refused = results.filter((r) => r.status === "rejected");
    assert.equal(refused.length, 15);
    assert.ok(refused.every((r) => r.reason.code === "storage_unavailable" && r.reason.retryable));
    await store.close();
  });
});

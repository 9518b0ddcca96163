import assert from "node:assert/strict";
import { MAX_PENDING_CHANGES } from "../../src/storage/limits.ts";
import type { Change } from "../../src/registry/store.ts";
import { Registry } from "../../src/registry/registry.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { MemoryDisk, osError } from "../helpers/memory_disk.ts";
import { eventually } from "../helpers/raw_client.ts";
import { withRegistry, withTempDir } from "./recording.ts";

const LISTENER = { onCommit: () => {}, onLeaseExpired: () => {} };

function progress(n: number): Change {
  const data = {
    deployment_id: `d-${n}`,
    service: "web",
    id: null,
    host: null,
    step: "start",
    status: "done",
    at: "t",
  } as const;
  return { events: [{ event: "deployment_progress", data }], time: "t" };
}

Deno.test("FileStore.commit: concurrent changes share one sync", async () => {
  await withTempDir(async (dir) => {
    const disk = new MemoryDisk();
    const store = new FileStore({ dir, disk });
    await store.open(LISTENER);
    let syncs = 0;
    disk.fault = (operation) => void (operation === "sync" && syncs++);
    await Promise.all(Array.from({ length: 500 }, (_, i) => store.commit(progress(i))));
    assert.equal(syncs, 1);
    await store.commit(progress(500));
    assert.equal(syncs, 2);
    await store.close();
  });
});

Deno.test("FileStore.commit: refuses when too many changes wait", async () => {
  await withTempDir(async (dir) => {
    const store = new FileStore({ dir, disk: new MemoryDisk() });
    await store.open(LISTENER);
    const results = await Promise.allSettled(
      Array.from({ length: MAX_PENDING_CHANGES + 3 }, (_, i) => store.commit(progress(i))),
    );
    const refused = results.filter((r) => r.status === "rejected");
    assert.equal(refused.length, 3);
    assert.ok(refused.every((r) => r.reason.code === "storage_unavailable"));
    await store.commit(progress(1));
    await store.close();
  });
});

Deno.test("FileStore: async mode stops accepting after a failed sync", async () => {
  await withTempDir(async (dir) => {
    const disk = new MemoryDisk();
    const options = { dir, disk, durability: "async", tuning: { retryMs: 1 } } as const;
    const registry = await Registry.open(new FileStore(options));
    let syncs = 0;
    let failing = false;
    disk.fault = (operation) => {
      if (operation !== "sync") return undefined;
      syncs++;
      return failing ? osError("EIO") : undefined;
    };
    await registry.register(serviceInput("web"));
    assert.equal(syncs, 0, "nobody waits for the medium");
    await eventually(() => syncs > 0, "a sync");
    failing = true;
    await registry.update("web", { version: "2" });
    await eventually(() => registry.problem !== null, "the failure");
    await assert.rejects(registry.update("web", { version: "3" }), { code: "storage_unavailable" });
    failing = false;
    await eventually(() => registry.problem === null, "recovery");
    await registry.update("web", { version: "4" });
    await registry.close();
    await withRegistry({ dir, disk }, (reopened) => {
      assert.equal(reopened.get("web").version, "4");
      assert.equal(reopened.seq, 3);
    });
  });
});

Deno.test("FileStore.commit: a malformed change is not written", async () => {
  await withTempDir(async (dir) => {
    const store = new FileStore({ dir, disk: new MemoryDisk() });
    await assert.rejects(store.commit(progress(0)), { code: "storage_unavailable" });
    await store.open(LISTENER);
    await assert.rejects(store.open(LISTENER), { code: "conflict" });
    await assert.rejects(store.commit({ events: [], time: "t" }), /at least one event/);
    assert.deepEqual(await store.history(0, 9), []);
    await store.close();
  });
});

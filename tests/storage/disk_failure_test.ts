/** A disk that fails at one operation after another: refused, reads go on, nothing lost, and it recovers. */
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { Registry } from "../../src/registry/registry.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { type Fault, MemoryDisk, osError } from "../helpers/memory_disk.ts";
import { assertState, History, recorded, withRegistry, withTempDir } from "./recording.ts";
import { eventually } from "../helpers/raw_client.ts";

const TUNING = { segmentBytes: 2_500, historyEvents: 6, snapshotDelayMs: 0, retryMs: 1 };

/** Changes a few services at once; returns how many changes were refused for the storage's sake. */
async function work(registry: Registry): Promise<number> {
  let refused = 0;
  const attempt = async (task: () => Promise<unknown>) => {
    try {
      await task();
    } catch (error) {
      assert.ok(error instanceof HarnessError, String(error));
      // Refused registrations make the changes after them meet nothing.
      assert.ok(["storage_unavailable", "not_found"].includes(error.code), error.message);
      if (error.code === "storage_unavailable") refused++;
    }
    registry.list();
  };
  await Promise.all(["a", "b", "c"].map(async (name) => {
    await attempt(() => registry.register(serviceInput(name), { replace: true }));
    for (let i = 0; i < 8; i++) {
      await attempt(() => registry.update(name, { version: `${registry.seq}-${i}` }));
      if (i % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }));
  return refused;
}

/** One run in which the disk fails as `fault` says, until space "returns"; `null` when it could not open. */
async function runWith(dir: string, fault: Fault): Promise<number | null> {
  const disk = new MemoryDisk();
  const history = new History();
  await withRegistry({ dir, disk, tuning: TUNING }, work, history);
  disk.operations = 0;
  disk.fault = fault;
  let registry: Registry;
  try {
    registry = await Registry.open(recorded(new FileStore({ dir, disk, tuning: TUNING }), history));
  } catch (error) {
    assert.ok(error instanceof HarnessError && error.code === "storage_unavailable", String(error));
    disk.fault = () => undefined;
    await withRegistry({ dir, disk, tuning: TUNING }, (r) => assertState(r, history, "reopened"));
    return null;
  }
  const refused = await work(registry);
  assertState(registry, history, "memory while failing");
  if (refused > 0) {
    assert.equal(registry.get("a").id, "a", "reads go on");
  }
  disk.fault = () => undefined;
  await eventually(() => registry.problem === null, "recovery");
  assert.equal(await work(registry), 0, "after recovery nothing is refused");
  await registry.close();
  await withRegistry({ dir, disk, tuning: TUNING }, (reopened) => {
    assertState(reopened, history, "reopened");
    assert.equal(reopened.seq, history.seq);
    assert.deepEqual(reopened.warnings, []);
  });
  return refused;
}

Deno.test("FileStore: survives one failure of each operation", async () => {
  await withTempDir(async (dir) => {
    let operations = Infinity;
    let refusals = 0;
    for (let at = 0; at < operations; at++) {
      let seen = 0;
      const code = at % 2 === 0 ? "EIO" : "ENOSPC";
      const refused = await runWith(dir, (_, index) => {
        seen = index;
        return index === at ? osError(code) : undefined;
      });
      if (refused !== null && refused > 0) refusals++;
      // Longer runs only repeat: stop when the failure comes after the work.
      if (seen < at) operations = at;
      if (at > 150) break;
    }
    assert.ok(refusals > 5, `${refusals} runs had refused changes`);
  });
});

Deno.test("FileStore: recovers from a disk full at any operation", async () => {
  await withTempDir(async (dir) => {
    const writing = new Set(["write", "create", "sync"]);
    for (let from = 0; from < 120; from += 3) {
      await runWith(dir, (operation, index) => {
        return index >= from && writing.has(operation) ? osError("ENOSPC") : undefined;
      });
    }
  });
});

Deno.test("FileStore: completes short writes, refuses on none", async () => {
  await withTempDir(async (dir) => {
    const short = await runWith(dir, (operation, index) => {
      return operation === "write" && index % 2 === 0 ? 7 : undefined;
    });
    assert.equal(short, 0, "short writes are completed");
    for (let from = 8; from < 60; from += 4) {
      const refused = await runWith(dir, (operation, index) => {
        return operation === "write" && index >= from ? 0 : undefined;
      });
      assert.ok(refused === null || refused > 0);
    }
  });
});

Deno.test("FileStore.commit: a refused change did not happen", async () => {
  await withTempDir(async (dir) => {
    const disk = new MemoryDisk();
    const options = { dir, disk, tuning: { ...TUNING, retryMs: 60_000 } };
    const registry = await Registry.open(new FileStore(options));
    await registry.register(serviceInput("web"));
    disk.fault = (operation) => operation === "sync" ? osError("EIO") : undefined;
    await assert.rejects(registry.update("web", { version: "2" }), { code: "storage_unavailable" });
    assert.match(registry.problem ?? "", /the device reports an error/);
    await assert.rejects(registry.update("web", { version: "3" }), { code: "storage_unavailable" });
    assert.equal(registry.get("web").version, "1.0.0");
    disk.fault = () => undefined;
    await registry.close();
    await withRegistry({ dir, disk }, (reopened) => {
      assert.equal(reopened.get("web").version, "1.0.0");
      assert.equal(reopened.seq, 1);
    });
  });
});

/** What a load finds after runs that ended badly, or after somebody else's hand in the files. */
import assert from "node:assert/strict";
import { Registry } from "../../src/registry/registry.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { Documents } from "../../src/storage/documents.ts";
import { Checksum } from "../../src/storage/checksummed_file.ts";
import { MAX_DOCUMENT_BYTES } from "../../src/storage/limits.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { MemoryDisk, osError } from "../helpers/memory_disk.ts";
import { eventually } from "../helpers/raw_client.ts";
import { withRegistry } from "./recording.ts";

const DIR = "/state";
const TUNING = { snapshotDelayMs: 0, retryMs: 1 };

/** Runs `use` with a directory for the lock, which is a real file also when the rest is in memory. */
async function withDir<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "harness-leftovers-" });
  try {
    return await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("FileStore: forgets a refused change left in the journal", async () => {
  await withDir(async (dir) => {
    const disk = new MemoryDisk();
    const registry = await Registry.open(new FileStore({ dir, disk, tuning: TUNING }));
    await registry.register(serviceInput("web"));
    // Written and not synced; and taking it back fails as well, so that its intact line stays.
    const failing = new Set(["sync", "truncate"]);
    disk.fault = (operation) => failing.has(operation) ? osError("EIO") : undefined;
    await assert.rejects(registry.update("web", { version: "refused" }), {
      code: "storage_unavailable",
    });
    disk.fault = () => undefined;
    await eventually(() => registry.problem === null, "recovery");
    const journal = [...disk.files()].filter(([path]) => path.includes("journal"))
      .map(([, bytes]) => new TextDecoder().decode(bytes)).join("");
    assert.match(journal, /refused/, "the line is still there");
    await registry.update("web", { version: "accepted" });
    const { seq, epoch } = registry;
    assert.equal(seq, 2, "the seq of the refused change was nobody's");
    const files = new Map(disk.files());
    await registry.close();
    // As after a kill, and with the snapshots gone: the journal alone has to know.
    for (const name of ["registry.json", "registry.json.bak"]) files.delete(`${dir}/${name}`);
    await withRegistry({ dir, disk: MemoryDisk.of(files) }, async (reopened) => {
      assert.equal(reopened.get("web").version, "accepted");
      assert.deepEqual([reopened.seq, reopened.epoch], [seq, epoch]);
      assert.deepEqual(reopened.warnings, [
        "registry.json is missing; the journal alone was loaded: nothing is lost",
      ]);
      assert.doesNotMatch(JSON.stringify(await reopened.history(0, 10)), /refused/);
    });
  });
});

Deno.test("FileStore: reports changes lost before the journal", async () => {
  await withDir(async (dir) => {
    const disk = new MemoryDisk();
    const tuning = { ...TUNING, segmentBytes: 500, historyEvents: 1 };
    let old: Uint8Array = new Uint8Array();
    const path = `${dir}/registry.json`;
    await withRegistry({ dir, disk, tuning }, async (registry) => {
      await registry.register(serviceInput("web"));
      await eventually(() => fileSeq(disk, path) === 1, "the first snapshot");
      old = disk.files().get(path)!.slice();
      for (let i = 0; i < 20; i++) {
        await registry.update("web", { version: `v${i}` });
        await eventually(() => fileSeq(disk, path) === registry.seq, "the next snapshot");
      }
    });
    const files = new Map(disk.files()).set(path, old);
    await withRegistry({ dir, disk: MemoryDisk.of(files) }, (registry) => {
      assert.match(
        registry.warnings.join("; "),
        /Changes 2 to \d+ are lost: the snapshot is older and the journal begins later/,
      );
      assert.equal(registry.seq, 21, "no seq is used again");
    });
    files.delete(path);
    files.delete(`${path}.bak`);
    await withRegistry({ dir, disk: MemoryDisk.of(files) }, (registry) => {
      assert.match(
        registry.warnings.join("; "),
        /Changes 1 to \d+ are lost: there is no good snap/,
      );
    });
  });
});

Deno.test("FileStore: leaves out invalid entries and keeps the file", async () => {
  await withDir(async (dir) => {
    const disk = new MemoryDisk();
    const good = await withRegistry({ dir, disk }, async (registry) => {
      await registry.register(serviceInput("api"));
      return await registry.register(serviceInput("web"));
    });
    const services = [
      { ...good, state: "asleep" },
      { ...good, id: "web2", revision: 0 },
      { ...good, id: "ok", name: "ok" },
    ];
    const snapshot = { epoch: crypto.randomUUID(), seq: 9, saved_at: "t", services };
    const bytes = snapshotBytes(snapshot);
    const edited = MemoryDisk.of(new Map([[`${dir}/registry.json`, bytes]]));
    await assert.rejects(
      Registry.open(new FileStore({ dir, disk: edited, strict: true })),
      /The entry "web" is not valid \(state: /,
    );
    await withRegistry({ dir, disk: edited }, (registry) => {
      assert.deepEqual(registry.list().map(({ id }) => id), ["ok"]);
      const said = registry.warnings.join("; ");
      assert.match(said, /The entry "web" is not valid \(state: .*The entry "web2" is not valid/);
    });
    const names = [...edited.files().keys()].map((path) => path.slice(dir.length + 1));
    assert.ok(names.some((name) => name.startsWith("registry.json.corrupt-")), names.join());
  });
});

Deno.test("FileStore: a snapshot of the wrong shape is damaged", async () => {
  await withDir(async (dir) => {
    const snapshot = { epoch: 5, seq: 9, saved_at: "t", services: [] };
    const bytes = snapshotBytes(snapshot);
    const disk = MemoryDisk.of(new Map([[`${dir}/registry.json`, bytes]]));
    await withRegistry({ dir, disk }, (registry) => {
      assert.match(registry.warnings.join("; "), /registry\.json is damaged \(a field is missing/);
      assert.deepEqual(registry.list(), []);
    });
  });
});

Deno.test("FileStore.close: no room for a snapshot loses nothing", async () => {
  await withDir(async (dir) => {
    const disk = new MemoryDisk();
    const tuning = { ...TUNING, snapshotDelayMs: 60_000 };
    const registry = await Registry.open(new FileStore({ dir, disk, tuning }));
    await registry.register(serviceInput("web"));
    disk.fault = (operation) => operation === "create" ? osError("ENOSPC") : undefined;
    await registry.close();
    await assert.rejects(registry.register(serviceInput("late")), { code: "storage_unavailable" });
    await assert.rejects(registry.heartbeat("web"));
    disk.fault = () => undefined;
    await withRegistry({ dir, disk, strict: true }, (reopened) => {
      assert.deepEqual(reopened.list().map(({ id }) => id), ["web"]);
      assert.deepEqual([reopened.epoch, reopened.warnings], [registry.epoch, []]);
    });
  });
});

Deno.test("FileStore.close: a disk failure loses nothing acknowledged", async () => {
  await withDir(async (dir) => {
    const disk = new MemoryDisk();
    const registry = await Registry.open(new FileStore({ dir, disk, tuning: TUNING }));
    await registry.register(serviceInput("web"));
    disk.fault = () => osError("EIO");
    await assert.rejects(registry.close(), { code: "storage_unavailable" });
    disk.fault = () => undefined;
    await withRegistry({ dir, disk }, (reopened) => {
      assert.deepEqual(reopened.list().map(({ id }) => id), ["web"]);
    });
  });
});

Deno.test("Documents: too_large, and a failing disk", async () => {
  const disk = new MemoryDisk();
  const documents = new Documents({ dir: DIR, disk });
  await documents.put("c", "x", 1);
  await assert.rejects(documents.put("c", "x", "y".repeat(MAX_DOCUMENT_BYTES)), {
    code: "too_large",
  });
  assert.deepEqual(await documents.list("c"), [{ id: "x", value: 1 }]);
  disk.fault = () => osError("EIO");
  await assert.rejects(documents.list("c"), { code: "storage_unavailable" });
  await assert.rejects(documents.remove("c", "x"), { code: "storage_unavailable" });
});

/** A snapshot with a right checksum that no version of ours would write. */
function snapshotBytes(snapshot: object): Uint8Array {
  const rest = JSON.stringify({ format: 1, ...snapshot }).slice(1);
  return new TextEncoder().encode(`{\n${new Checksum("{\n").add(rest).line()}${rest}`);
}

function fileSeq(disk: MemoryDisk, path: string): number {
  const bytes = disk.files().get(path);
  return bytes === undefined ? -1 : JSON.parse(new TextDecoder().decode(bytes)).seq;
}

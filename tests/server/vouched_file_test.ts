import assert from "node:assert/strict";
import { VouchedEntries } from "../../src/server/access/vouched_entries.ts";
import { VouchedFile } from "../../src/server/access/vouched_file.ts";
import type { DocumentStore } from "../../src/server/backends.ts";

/** Documents in memory; may fail from some call on, as a disk does in a crash. */
class MemoryDocuments implements DocumentStore {
  readonly kept = new Map<string, unknown>();
  /** Calls that still work. */
  left = Infinity;
  /** Ids of entries written. */
  written = 0;

  list(): Promise<Array<{ id: string; value: unknown }>> {
    return Promise.resolve([...this.kept].map(([id, value]) => ({ id, value })));
  }

  // deno-lint-ignore require-await
  async put(_collection: string, id: string, value: unknown): Promise<void> {
    this.#use();
    const { ids, removed, gone = [] } = value as Record<string, unknown[]>;
    this.written += (ids?.length ?? 0) + (removed?.length ?? 0) + gone.length;
    this.kept.set(id, structuredClone(value));
  }

  // deno-lint-ignore require-await
  async remove(_collection: string, id: string): Promise<void> {
    this.#use();
    this.kept.delete(id);
  }

  #use(): void {
    if (this.left-- <= 0) throw new Error("the disk is gone");
  }
}

function add(file: VouchedFile, id: string): void {
  file.removed.delete(id);
  file.ids.add(id);
  file.note(id);
}

function stateOf({ ids, removed }: VouchedFile): string {
  const runs = [...removed.values()].map(({ id, run }) => `${id}:${run}`);
  return JSON.stringify([[...ids].sort(), runs.sort()]);
}

Deno.test("VouchedFile: a change costs the same with many entries", async () => {
  const costs = await Promise.all([100, 20_000].map(async (count) => {
    const documents = new MemoryDocuments();
    const first = await VouchedFile.load(documents);
    for (let n = 0; n < count; n++) add(first, `service-${n}`);
    await first.write();
    const file = await VouchedFile.load(documents);
    documents.written = 0;
    for (let n = 0; n < 50; n++) {
      add(file, `new-${n}`);
      await file.write();
    }
    assert.equal(stateOf(await VouchedFile.load(documents)), stateOf(file));
    return documents.written;
  }));
  assert.equal(costs[0], costs[1]);
});

Deno.test("VouchedFile: a crash at any write loses no more than that", async () => {
  // A generator of its own: each crash is in the same history.
  const history = async (crashAt: number) => {
    let random = 7;
    const next = (below: number) => (random = random * 1103515245 + 12345 & 0x7fffffff) % below;
    const documents = new MemoryDocuments();
    documents.left = crashAt;
    let file = await VouchedFile.load(documents, 4);
    let before = stateOf(file);
    for (let turn = 0; turn < 60; turn++) {
      for (let n = next(4); n >= 0; n--) {
        const id = `service-${next(12)}`;
        file.ids.delete(id);
        file.removed.delete(id);
        const what = next(3);
        if (what === 0) file.ids.add(id);
        if (what === 1) file.removed.add({ id, name: "service", run: `${next(3)}` });
        file.note(id);
      }
      try {
        await (turn % 20 === 19 ? file.close() : file.write());
      } catch {
        const now = stateOf(file);
        documents.left = Infinity;
        const loaded = stateOf(await VouchedFile.load(documents, 4));
        assert.ok([before, now].includes(loaded), `after a crash at ${crashAt}: ${loaded}`);
        // A server that goes on writes it once the disk takes it.
        await file.write();
        assert.equal(stateOf(await VouchedFile.load(documents, 4)), now);
        return true;
      }
      before = stateOf(file);
      if (turn % 7 === 6) file = await VouchedFile.load(documents, 4);
      assert.equal(stateOf(file), before);
    }
    return false;
  };
  let crashes = 0;
  while (await history(crashes)) crashes++;
  assert.ok(crashes > 60, `${crashes} crashes`);
});

Deno.test("VouchedFile: reads and leaves what earlier versions do", async () => {
  const documents = new MemoryDocuments();
  const removed = [{ id: "old", name: "old", run: "1" }];
  documents.kept.set("vouched", { ids: ["web"], removed });
  const file = await VouchedFile.load(documents);
  add(file, "api");
  await file.write();
  add(file, "db");
  await file.write();
  assert.ok(documents.kept.size > 1);
  await file.close();
  const { id: _, ...whole } = documents.kept.get("vouched") as Record<string, unknown>;
  assert.deepEqual([...documents.kept.keys()], ["vouched"]);
  assert.deepEqual(whole, { ids: ["web", "api", "db"], removed });
});

Deno.test("VouchedEntries: forgets what is not registered", async () => {
  const documents = new MemoryDocuments();
  documents.kept.set("vouched", { ids: ["web", "lost"], removed: [] });
  await using vouched = await VouchedEntries.load(documents, (id) => id === "web");
  assert.deepEqual([vouched.has("web"), vouched.has("lost")], [true, false]);
});

Deno.test("VouchedEntries: poses by any id or name", async () => {
  await using vouched = await VouchedEntries.load();
  const execution = (unit_name: string) => ({ type: "systemd_service", unit_name }) as const;
  // deno-lint-ignore no-explicit-any
  const entry = (id: string, name: string, unit: string): any => ({
    id,
    name,
    execution: execution(unit),
    location: { type: "local" },
  });
  for (const [id, unit] of [["db@h1", "one"], ["db@h2", "two"]] as const) {
    vouched.add(id);
    vouched.removeWithoutToken(entry(id, "db", unit));
  }
  assert.equal(vouched.poses(entry("db@h1", "db", "one")), true, "another db was something else");
  vouched.remove("db@h2");
  assert.equal(vouched.poses(entry("db@h1", "db", "one")), false);
  for (const [id, name] of [["db", "x"], ["db@h1", "x"], ["y", "db"], ["x", "db@h1"]] as const) {
    assert.equal(vouched.poses(entry(id, name, "other")), true, `${id} ${name}`);
  }
  assert.equal(vouched.poses(entry("db@h2", "other", "other")), false);
});

Deno.test("VouchedFile: a lost change vouches for nobody before it", async () => {
  const documents = new MemoryDocuments();
  const file = await VouchedFile.load(documents, 1);
  for (const id of "abcdefgh") add(file, id);
  await file.write();
  for (const id of ["a", "b", "c"]) {
    file.ids.delete(id);
    file.note(id);
    await file.write();
  }
  assert.deepEqual([...documents.kept.keys()], ["vouched", "vouched-1", "vouched-2", "vouched-3"]);
  documents.kept.delete("vouched-1");
  const loaded = await VouchedFile.load(documents, 1);
  assert.deepEqual([...loaded.ids], []);
  add(loaded, "new");
  await loaded.write();
  assert.deepEqual([...(await VouchedFile.load(documents, 1)).ids], ["new"]);
});

Deno.test("VouchedFile: a write that failed late loses no later one", async () => {
  const documents = new MemoryDocuments();
  const file = await VouchedFile.load(documents, 2);
  for (const id of ["a", "b"]) add(file, id);
  await file.write();
  for (const id of ["c", "d", "e"]) add(file, id);
  // On the disk, but the sync after it failed.
  const { put } = documents;
  documents.put = async (...args) => {
    await put.apply(documents, args);
    throw new Error("the disk is gone");
  };
  await assert.rejects(file.close());
  documents.put = put;
  file.ids.delete("e");
  await file.write();
  assert.equal(stateOf(await VouchedFile.load(documents, 2)), stateOf(file));
});

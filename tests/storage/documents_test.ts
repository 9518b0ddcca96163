import assert from "node:assert/strict";
import { Documents } from "../../src/storage/documents.ts";
import { MemoryDisk, osError, seeded } from "../helpers/memory_disk.ts";
import { refusal } from "../helpers/rejects.ts";
import { withTempDir } from "./recording.ts";

/** The value of document `x` of collection `c`. */
async function valueOf(documents: Documents): Promise<unknown> {
  return (await documents.list("c")).find(({ id }) => id === "x")?.value;
}

Deno.test("Documents: put, list, remove; readable by the owner alone", async () => {
  await withTempDir(async (dir) => {
    const documents = new Documents({ dir });
    assert.deepEqual(await documents.list("deployments"), []);
    const value = { hosts: [{ host: "h1", error: null }], text: "größer\n“x”\n  y" };
    await documents.put("deployments", "d-1", value);
    await documents.put("deployments", "web@h1.example", 5);
    assert.deepEqual(await documents.list("deployments"), [
      { id: "d-1", value },
      { id: "web@h1.example", value: 5 },
    ]);
    const { mode } = await Deno.stat(`${dir}/deployments/d-1.json`);
    assert.equal((mode ?? 0) & 0o777, 0o600);
    await documents.remove("deployments", "d-1");
    await documents.remove("deployments", "d-1");
    assert.deepEqual((await documents.list("deployments")).map(({ id }) => id), ["web@h1.example"]);
  });
});

Deno.test("Documents: a bad collection name is refused", async () => {
  const documents = new Documents({ dir: "/nowhere", disk: new MemoryDisk() });
  await refusal("invalid_params", () => documents.put("../etc", "x", 1));
  await refusal("invalid_params", () => documents.list("../etc"));
  await refusal("invalid_params", () => documents.remove("", "x"));
});

Deno.test("Documents: every id has a file of its own in the collection", async () => {
  const ids = ["web", "web@host", "web@host:22", "web@[::1]:22", "web_1", "web_5f_1", "a/../b"];
  ids.push("-x", ".x", "../x", "é", "\u{1f600}", "x".repeat(300), `${"x".repeat(300)}y`, "", "a\0");
  const disk = new MemoryDisk();
  const documents = new Documents({ dir: "/d", disk });
  for (const [i, id] of ids.entries()) await documents.put("c", id, i);
  const found = await documents.list("c");
  assert.deepEqual(found.map(({ value }) => Number(value)).sort((a, b) => a - b), [...ids.keys()]);
  for (const { id } of found) assert.match(id, /^[A-Za-z0-9][A-Za-z0-9._@-]{0,199}$/);
  // Names on disk of earlier versions: they must be found again.
  assert.ok(found.some(({ id }) => id === "web@_5b__3a__3a_1_5d__3a_22"));
  for (const id of ids) await documents.remove("c", id);
  assert.deepEqual(await documents.list("c"), []);
});

Deno.test("Documents: of many puts at once the last one stays, whole", async () => {
  await withTempDir(async (dir) => {
    const documents = new Documents({ dir });
    const puts = Array.from({ length: 50 }, (_, n) => documents.put("c", "x", { n }));
    await Promise.all(puts);
    assert.deepEqual(await valueOf(documents), { n: 49 });
    assert.deepEqual([...Deno.readDirSync(`${dir}/c`)].map((e) => e.name), ["x.json"]);
  });
});

Deno.test("Documents: a damaged document is renamed and missing", async () => {
  await withTempDir(async (dir) => {
    const documents = new Documents({ dir });
    await documents.put("c", "x", { a: "value" });
    const path = `${dir}/c/x.json`;
    const bytes = await Deno.readFile(path);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1;
      await Deno.writeFile(path, damaged);
      assert.deepEqual(await documents.list("c"), [], `byte ${at}`);
    }
    const aside = [...Deno.readDirSync(`${dir}/c`)].map((e) => e.name);
    assert.ok(aside.every((name) => name.startsWith("x.json.corrupt-")));
  });
});

Deno.test("Documents: old or new value after a disk fault or power cut", async () => {
  const [OLD, NEW] = [`{"n":1}`, `{"n":2}`];
  const random = seeded(7);
  for (let at = 0; at < 40; at++) {
    const disk = new MemoryDisk();
    const documents = new Documents({ dir: "/d", disk });
    await documents.put("c", "x", { n: 1 });
    const cut = disk.afterPowerCut(random);
    const reopened = new Documents({ dir: "/d", disk: MemoryDisk.of(cut) });
    assert.deepEqual(await valueOf(reopened), { n: 1 });
    let files = new Map<string, Uint8Array>();
    const failing = disk.operations + (at % 8);
    disk.fault = (_, index) => {
      if (index === failing) files = disk.afterPowerCut(random);
      return index === failing && at >= 20 ? osError("ENOSPC") : undefined;
    };
    const failed = await documents.put("c", "x", { n: 2 }).then(() => false, (error) => {
      assert.equal(error.code, "storage_unavailable");
      return true;
    });
    disk.fault = () => undefined;
    const now = JSON.stringify(await valueOf(documents));
    assert.ok(now === NEW || (failed && now === OLD));
    if (files.size === 0) continue;
    const after = new Documents({ dir: "/d", disk: MemoryDisk.of(files) });
    assert.ok([OLD, NEW].includes(JSON.stringify(await valueOf(after))), `cut at ${at}`);
  }
});

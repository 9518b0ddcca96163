import assert from "node:assert/strict";
import { Documents } from "../../src/storage/documents.ts";
import { MemoryDisk, osError, seeded } from "../helpers/memory_disk.ts";
import { refusal } from "../helpers/rejects.ts";
import { withTempDir } from "./recording.ts";

Deno.test("Documents put, get, list and remove documents, readable by their owner alone", async () => {
  await withTempDir(async (dir) => {
    const documents = new Documents({ dir });
    assert.deepEqual(await documents.list("deployments"), []);
    assert.equal(await documents.get("deployments", "d-1"), null);
    const value = { hosts: [{ host: "h1", error: null }], text: "größer\n“x”\n  y" };
    await documents.put("deployments", "d-1", value);
    await documents.put("deployments", "web@h1.example", 5);
    assert.deepEqual(await documents.get("deployments", "d-1"), value);
    assert.equal(await documents.get("deployments", "web@h1.example"), 5);
    assert.deepEqual(await documents.list("deployments"), ["d-1", "web@h1.example"]);
    const { mode } = await Deno.stat(`${dir}/deployments/d-1.json`);
    assert.equal((mode ?? 0) & 0o777, 0o600);
    await documents.remove("deployments", "d-1");
    await documents.remove("deployments", "d-1");
    assert.deepEqual(await documents.list("deployments"), ["web@h1.example"]);
  });
});

Deno.test("Documents refuse names that would leave their place", async () => {
  const documents = new Documents({ dir: "/nowhere", disk: new MemoryDisk() });
  for (const id of ["../x", "a/b", "", ".hidden", "x".repeat(300), "a\0"]) {
    await refusal("invalid_params", () => documents.put("deployments", id, 1));
    await refusal("invalid_params", () => documents.get("deployments", id));
  }
  await refusal("invalid_params", () => documents.put("../etc", "x", 1));
});

Deno.test("Documents.put() from many sides leaves the last one, whole", async () => {
  await withTempDir(async (dir) => {
    const documents = new Documents({ dir });
    const puts = Array.from({ length: 50 }, (_, n) => documents.put("d", "x", { n }));
    await Promise.all(puts);
    assert.deepEqual(await documents.get("d", "x"), { n: 49 });
    assert.deepEqual([...Deno.readDirSync(`${dir}/d`)].map((e) => e.name), ["x.json"]);
  });
});

Deno.test("Documents.get() sets a damaged document aside", async () => {
  await withTempDir(async (dir) => {
    const documents = new Documents({ dir });
    await documents.put("d", "x", { a: "value" });
    const path = `${dir}/d/x.json`;
    const bytes = await Deno.readFile(path);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1;
      await Deno.writeFile(path, damaged);
      assert.equal(await documents.get("d", "x"), null, `byte ${at}`);
    }
    assert.deepEqual(await documents.list("d"), []);
    const aside = [...Deno.readDirSync(`${dir}/d`)].map((e) => e.name);
    assert.ok(aside.every((name) => name.startsWith("x.json.corrupt-")));
  });
});

Deno.test("Documents hold the old or the new document when the disk fails or loses power", async () => {
  const random = seeded(7);
  for (let at = 0; at < 40; at++) {
    const disk = new MemoryDisk();
    const documents = new Documents({ dir: "/d", disk });
    await documents.put("c", "x", { n: 1 });
    const cut = disk.afterPowerCut(random);
    assert.deepEqual(await new Documents({ dir: "/d", disk: MemoryDisk.of(cut) }).get("c", "x"), {
      n: 1,
    });
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
    const now = await documents.get<{ n: number }>("c", "x");
    assert.ok(now?.n === 2 || (failed && now?.n === 1));
    if (files.size === 0) continue;
    const after = await new Documents({ dir: "/d", disk: MemoryDisk.of(files) }).get<{ n: number }>(
      "c",
      "x",
    );
    assert.ok(after?.n === 1 || after?.n === 2, `cut at ${at}`);
  }
});

import assert from "node:assert/strict";
import { documentStore, fileId } from "../../src/cli/server_process/document_store.ts";
import { Documents } from "../../src/storage/documents.ts";

Deno.test("fileId() gives every id a file name of its own", () => {
  const ids = [
    ...[
      "web",
      "web@host",
      "web@host:22",
      "web@[::1]:22",
      "web_1",
      "web_5f_1",
      "a/../b",
      "-x",
      ".x",
    ],
    ...["é", "\u{1f600}", "x".repeat(300), `${"x".repeat(300)}y`, ""],
  ];
  const names = ids.map(fileId);
  assert.equal(new Set(names).size, ids.length);
  for (const name of names) assert.match(name, /^[A-Za-z0-9][A-Za-z0-9._@-]{0,199}$/);
});

Deno.test("documentStore() lists what was put, without what was removed or damaged", async () => {
  const dir = await Deno.makeTempDir({ prefix: "harness-documents-" });
  try {
    const store = documentStore(new Documents({ dir }));
    await store.put("placements", "web@[::1]:22", { a: 1 });
    await store.put("placements", "db", { b: 2 });
    await store.put("placements", "gone", {});
    await store.remove("placements", "gone");
    await Deno.writeTextFile(`${dir}/placements/db.json`, "{}");
    assert.deepEqual((await store.list("placements")).map(({ value }) => value), [{ a: 1 }]);
    assert.deepEqual(await store.list("nothing"), []);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

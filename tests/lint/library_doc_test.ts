/** docs/library.md shows programs of examples/: they are these files, character by character. */
import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);

Deno.test("docs/library.md: shows the programs as they are", async () => {
  const text = await Deno.readTextFile(new URL("docs/library.md", ROOT));
  const shown = [
    ...text.matchAll(/\(\.\.\/(examples\/\w+\.ts)\)\n\n````ts ignore\n([^]*?)````\n/g),
  ];
  assert.equal(shown.length, 5);
  for (const [, file = "", code] of shown) {
    assert.equal(code, await Deno.readTextFile(new URL(file, ROOT)), `${file} in docs/library.md`);
  }
});

/** examples/README.md lists what is in examples/, and nothing else. */
import assert from "node:assert/strict";

Deno.test("examples: all are listed in their README", () => {
  const dir = new URL("../../examples/", import.meta.url);
  const there = [...Deno.readDirSync(dir)].map(({ name }) => name)
    .filter((name) => name !== "README.md");
  const text = Deno.readTextFileSync(new URL("README.md", dir));
  const listed = [...text.matchAll(/^\| \[[^\]]+\]\(([^)]+)\)/gm)].map(([, name = ""]) => name);
  assert.deepEqual(listed.toSorted(), there.toSorted());
});

/** docs/security.md names the test of each promise: each is there. */
import assert from "node:assert/strict";

Deno.test("docs/security.md: every test it names is there", async () => {
  const root = new URL("../../", import.meta.url);
  const text = await Deno.readTextFile(new URL("docs/security.md", root));
  const named = [...text.matchAll(/`((?:tests\/[a-z]+\/)?[a-z_]+_test\.ts)`/g)]
    .map(([, file = ""]) => file.startsWith("tests/") ? file : `tests/security/${file}`);
  assert.ok(named.length > 15, `${named.length} tests`);
  const missing: string[] = [];
  for (const file of new Set(named)) {
    if (!await Deno.stat(new URL(file, root)).then(() => true, () => false)) missing.push(file);
  }
  assert.deepEqual(missing, []);
});

/** The audit log: whole lines, in order, private and bounded. */
import assert from "node:assert/strict";
import { AuditFile } from "../../src/cli/audit_file.ts";
import { tempDir } from "../helpers/temp_dir.ts";

Deno.test("AuditFile: keeps the order and rotates", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/audit.log`;
  const entry = (n: number) => ({
    at: "2026-01-01T00:00:00.000Z",
    by: "token",
    action: "update_service",
    about: { name: `s-${n}` },
    outcome: "ok",
  });
  {
    await using file = new AuditFile(path, 5_000);
    for (let n = 0; n < 300; n++) {
      file.add(entry(n));
      if (n % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  const names = (await Array.fromAsync(Deno.readDir(dir.path))).map(({ name }) => name).sort();
  assert.deepEqual(names, ["", ".1", ".2", ".3", ".4"].map((end) => `audit.log${end}`));
  const seen: number[] = [];
  for (const name of names.toReversed()) {
    const text = await Deno.readTextFile(`${dir.path}/${name}`);
    assert.equal((await Deno.stat(`${dir.path}/${name}`)).mode! & 0o777, 0o600);
    for (const line of text.trimEnd().split("\n")) {
      seen.push(Number(JSON.parse(line).about.name.slice(2)));
    }
  }
  const first = seen[0] ?? 0;
  assert.ok(first > 0, "the oldest are gone");
  assert.deepEqual(seen, Array.from({ length: 300 - first }, (_, at) => first + at));
});

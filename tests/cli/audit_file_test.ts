/** The audit log: whole lines, in order, private and bounded. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { AuditFile } from "../../src/cli/server_process/audit_file.ts";
import { eventually } from "../helpers/raw_client.ts";
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
    await using file = new AuditFile(path, { maxFileBytes: 5_000, batchMs: 0 });
    for (let n = 0; n < 300; n++) {
      file.add(entry(n));
      if (n % 10 < 9) continue;
      // What waits for a slow disk is written together, into one file of any size.
      const isWritten = () => Deno.readTextFileSync(path).includes(`"s-${n}"`);
      await eventually(() => existsSync(path) && isWritten(), `entry ${n}`);
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

Deno.test("AuditFile: a flood does not rotate others' entries away", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/audit.log`;
  const entry = (by: string, outcome = "ok", name = "s") => ({
    at: "2026-01-01T00:00:00.000Z",
    by,
    action: "register_service",
    about: { name },
    outcome,
  });
  const lines = async () => {
    const names = (await Array.fromAsync(Deno.readDir(dir.path))).map(({ name }) => name).sort();
    const texts = await Promise.all(names.map((name) => Deno.readTextFile(`${dir.path}/${name}`)));
    return texts.join("").trim().split("\n").map((line) => JSON.parse(line));
  };
  let now = 0;
  {
    await using file = new AuditFile(path, { maxFileBytes: 200_000, now: () => now });
    const add = async (count: number, more: ReturnType<typeof entry>) => {
      for (let n = 0; n < count; n++) {
        file.add(more);
        if (n % 100 === 99) await new Promise((resolve) => setTimeout(resolve));
      }
    };
    file.add(entry("ci", "ok", "first"));
    // Together many times what all files hold; a read-only token that is refused is no better.
    await add(20_000, entry("anonymous", "unauthorized"));
    await add(20_000, entry("reader", "forbidden"));
    now += 60_000;
    await add(2, entry("anonymous"));
    await add(1500, entry("ci"));
  }
  const all = await lines();
  const count = (by: string, action = "register_service") =>
    all.filter((one) => one.by === by && one.action === action).length;
  assert.deepEqual([count("ci"), count("anonymous"), count("reader")], [1501, 1001, 1000]);
  assert.ok(all.some(({ about }) => about.name === "first"));
  const leftOut = all.filter(({ action }) => action === "left_out");
  assert.deepEqual(leftOut.map(({ by, about }) => [by, about.entries]), [
    ["anonymous", "19000"],
    ["anonymous", "1"],
    ["reader", "19000"],
  ]);
  // Where nobody needs a token there is nobody else whose entries could go.
  await using open = new AuditFile(`${dir.path}/open.log`, { open: true });
  for (let n = 0; n < 1500; n++) open.add(entry("anonymous"));
  await open[Symbol.asyncDispose]();
  const text = await Deno.readTextFile(`${dir.path}/open.log`);
  assert.equal(text.trim().split("\n").length, 1500);
});

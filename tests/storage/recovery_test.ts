/** A recovery tool written from docs/persistence.md alone, without any code of the storage. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Registry } from "../../src/registry/registry.ts";
import { crc32 } from "../../src/storage/journal/crc32.ts";
import { encodeLine } from "../../src/storage/journal/line.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { History, stateText, withRegistry, withTempDir } from "./recording.ts";

interface Recovered {
  seq: number;
  epoch: string;
  services: Map<string, Record<string, unknown>>;
  events: Array<{ seq: number; event: string }>;
}

function recover(dir: string): Recovered {
  const text = readFileSync(`${dir}/registry.json`, "utf8");
  const snapshot = JSON.parse(text);
  const unsealed = text.split("\n").filter((line) => !line.startsWith('  "checksum"')).join("\n");
  const sum = createHash("sha256").update(unsealed).digest("hex");
  assert.equal(snapshot.checksum, `sha256:${sum}`);
  const state: Recovered = {
    seq: snapshot.seq,
    epoch: snapshot.epoch,
    services: new Map(snapshot.services.map((e: { id: string }) => [e.id, e])),
    events: [],
  };
  const segments = readdirSync(dir).filter((name) => /^registry\.journal\.\d+$/.test(name)).sort();
  for (const name of [...segments, "registry.journal"]) {
    const bytes = readFileSync(`${dir}/${name}`);
    for (let at = 0; at < bytes.length;) {
      const newline = bytes.indexOf("\n", at);
      const line = bytes.subarray(at, newline);
      assert.equal(line.toString("latin1", 0, 8), '{"crc":"');
      assert.equal(parseInt(line.toString("latin1", 8, 16), 16), crc32(line.subarray(18)));
      assert.equal(parseInt(line.toString("latin1", 25, 33), 16), line.length - 35);
      const value = JSON.parse(line.toString());
      if (value.open !== undefined) state.epoch = value.open.epoch;
      for (const [i, body] of (value.events ?? []).entries()) {
        state.events.push({ seq: value.first + i, event: body.event });
      }
      if (value.seq > snapshot.seq) {
        if (value.put !== undefined) state.services.set(value.put.id, value.put);
        if (value.remove !== undefined) state.services.delete(value.remove);
        state.seq = value.seq;
      }
      at = newline + 1;
    }
  }
  return state;
}

Deno.test("docs/persistence.md: its commands read the files", async () => {
  await withTempDir(async (dir) => {
    const history = new History();
    const tuning = { segmentBytes: 3_000, snapshotDelayMs: 60_000 };
    const check = (epoch: string) => {
      const found = recover(dir);
      assert.equal(found.seq, history.seq);
      assert.equal(found.epoch, epoch);
      const entries = [...found.services.values()];
      assert.equal(stateText(entries as never), history.at(history.seq));
      assert.deepEqual(found.events.map((e) => e.seq), found.events.map((_, i) => i + 1));
    };
    for (let life = 0; life < 2; life++) {
      const epoch = await withRegistry({ dir, tuning }, async (registry) => {
        for (const name of ["a", "b", "c"]) {
          const labels = { motto: "größer\n“x”" };
          const { id } = await registry.register(
            serviceInput(name, { id: `${name}@${life}`, labels }),
          );
          await registry.update(id, { state: "starting", version: "2" });
          await registry.update(id, { state: "failed", state_reason: "exit code 1" });
        }
        await registry.deregister(`a@${life}`);
        check(registry.epoch);
        return registry.epoch;
      }, history);
      check(epoch);
    }
  });
});

/** Rewrites the lines of a journal, their checksums included. */
function rewriteJournal(path: string, change: (line: Record<string, unknown>) => unknown): void {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n").map((text) => {
    const { crc: _crc, len: _len, ...line } = JSON.parse(text);
    return encodeLine(change(line) as Record<string, unknown>);
  });
  writeFileSync(path, Buffer.concat(lines));
}

Deno.test("FileStore: entries that it takes unparsed are the same", async () => {
  await withTempDir(async (dir) => {
    const text = 'é字\u{1f600} "depends_on":["no"], "ttl_ms":1 ,"events":[ "put":{ \\" ] } \u2028';
    const labels = { depends_on: text, ttl_ms: text, events: text, revision: text };
    const tuning = { snapshotDelayMs: 60_000 };
    let expected = "";
    const check = (registry: Registry) => {
      assert.equal(JSON.stringify(registry.list()), expected);
      assert.equal([...registry.select({})].map(({ mayExpire }) => mayExpire).join(), "true,true");
      assert.deepEqual(registry.dependencies("web").dependencies, ["a-1", "db"]);
      assert.deepEqual(registry.warnings, []);
    };
    await withRegistry({ dir, tuning }, async (registry) => {
      await registry.register(serviceInput("web", { labels, depends_on: ["db", "a-1"] }));
      await registry.register(serviceInput("db", { id: "db@[::1]", labels, ttl_ms: 60_000 }));
      await registry.register(serviceInput("gone", { labels }));
      await registry.deregister("gone");
      expected = JSON.stringify(registry.list());
      for (const copy of ["journal", "other"]) await Deno.mkdir(`${dir}/${copy}`);
      for (const name of ["registry.json", "registry.journal"]) {
        await Deno.copyFile(`${dir}/${name}`, `${dir}/journal/${name}`);
        await Deno.copyFile(`${dir}/${name}`, `${dir}/other/${name}`);
      }
    });
    await withRegistry({ dir, tuning }, check);
    await withRegistry({ dir: `${dir}/journal`, tuning }, check);
    // What another version wrote is checked.
    rewriteJournal(`${dir}/other/registry.journal`, (line) => {
      if ("open" in line) return { open: { ...line["open"] as object, written_by: "0.0.1" } };
      const { put } = line as { put?: object };
      return line["id"] === "web" ? { ...line, put: { ...put, state: "odd" } } : line;
    });
    await withRegistry({ dir: `${dir}/other`, tuning }, (registry) => {
      assert.deepEqual(registry.list().map(({ id }) => id), ["db@[::1]"]);
      assert.match(registry.warnings.join(), /The entry "web" is not valid \(state: /);
    });
  });
});

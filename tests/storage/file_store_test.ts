import assert from "node:assert/strict";
import { Registry } from "../../src/registry/registry.ts";
import { snapshotChunks } from "../../src/storage/snapshot.ts";
import { MemoryStore } from "../../src/storage/memory_store.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { eventually } from "../helpers/raw_client.ts";
import { refusal } from "../helpers/rejects.ts";
import { assertState, History, withRegistry, withTempDir } from "./recording.ts";

async function names(dir: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(dir)) found.push(name);
  return found.sort();
}

Deno.test("FileStore: a restart keeps services, seq, epoch, history", async () => {
  await withTempDir(async (dir) => {
    const history = new History();
    const first = await withRegistry({ dir }, async (registry) => {
      for (const name of ["a", "b", "c"]) await registry.register(serviceInput(name));
      await registry.update("a", { state: "starting" });
      await registry.update("a", {
        state: "running",
        execution: { type: "managed_process", command: "/usr/bin/true", args: [], pid: 12345 },
      });
      await registry.deregister("c");
      return { epoch: registry.epoch, events: await registry.history(0, 100) };
    }, history);
    await withRegistry({ dir }, async (registry) => {
      assertState(registry, history, "reopened");
      assert.equal(registry.epoch, first.epoch);
      assert.equal(registry.seq, 6);
      assert.deepEqual(registry.warnings, []);
      assert.deepEqual(await registry.history(0, 100), first.events);
      const { execution, state } = registry.get("a");
      assert.ok(execution.type === "managed_process");
      assert.deepEqual([state, execution.pid], ["running", 12345]);
    });
  });
});

Deno.test("FileStore: private files, a snapshot people can read", async () => {
  await withTempDir(async (parent) => {
    const dir = `${parent}/new/state`;
    await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
    // Left there by somebody else: its mode must not become that of the snapshot.
    await Deno.writeTextFile(`${dir}/registry.json.tmp`, "", { mode: 0o644 });
    await withRegistry({ dir }, (registry) => registry.register(serviceInput("web")));
    for (const name of await names(dir)) {
      const { mode } = await Deno.stat(`${dir}/${name}`);
      assert.equal((mode ?? 0) & 0o777, 0o600, name);
    }
    assert.equal(((await Deno.stat(dir)).mode ?? 0) & 0o777, 0o700);
    const text = await Deno.readTextFile(`${dir}/registry.json`);
    const file = JSON.parse(text);
    assert.deepEqual(Object.keys(file), [
      "format",
      "epoch",
      "seq",
      "saved_at",
      "checksum",
      "services",
      "written_by",
    ]);
    assert.equal(file.services[0].id, "web");
    const unsealed = text.split("\n").filter((l) => !l.startsWith('  "checksum"')).join("\n");
    const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(unsealed));
    assert.equal(file.checksum, `sha256:${new Uint8Array(sum).toHex()}`);
  });
});

Deno.test("FileStore: saves snapshots, keeps a backup, cuts the journal", async () => {
  await withTempDir(async (dir) => {
    const tuning = {
      segmentBytes: 2_000,
      historyEvents: 10,
      historyBytes: 20_000,
      snapshotDelayMs: 20,
    };
    await withRegistry({ dir, tuning }, async (registry) => {
      await registry.register(serviceInput("web"));
      const saved = async () => JSON.parse(await Deno.readTextFile(`${dir}/registry.json`)).seq;
      for (let life = 0; life < 3; life++) {
        for (let i = 0; i < 20; i++) await registry.update("web", { version: `${life}.${i}` });
        await eventually(async () => await saved() === registry.seq, "the snapshot");
      }
      assert.ok(JSON.parse(await Deno.readTextFile(`${dir}/registry.json.bak`)).seq < registry.seq);
      const segments = async () =>
        (await names(dir)).filter((n) => /^registry\.journal\.\d/.test(n)).length;
      await eventually(async () => await segments() < 14, "old segments are removed");
      assert.ok(!(await names(dir)).includes("registry.journal.00000001"), "old ones are removed");
      assert.equal((await registry.history(registry.seq - 10, 99))?.length, 10);
      assert.equal(await registry.history(0, 99), null);
    });
    await withRegistry({ dir, tuning }, async (registry) => {
      assert.equal(
        (await registry.history(registry.seq - 10, 99))?.length,
        10,
        "also from the disk",
      );
    });
  });
});

Deno.test("FileStore: refuses a second owner, naming the first", async () => {
  await withTempDir(async (dir) => {
    await withRegistry({ dir }, async () => {
      const error = await refusal("conflict", () => Registry.open(new FileStore({ dir })));
      assert.equal(error.details?.pid, Deno.pid);
      assert.match(error.message, new RegExp(`process ${Deno.pid} uses it`));
    });
    await withRegistry({ dir }, () => {});
  });
});

Deno.test("FileStore.open: names what is wrong with a directory", async () => {
  await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    const store = new FileStore({ dir: `${dir}/file/state` });
    const error = await refusal("storage_unavailable", () => Registry.open(store));
    assert.match(error.message, /Cannot open .*file\/state: .*not a directory/);
  });
});

Deno.test("FileStore.commit: checks revisions of pending changes", async () => {
  await withTempDir(async (dir) => {
    const store = new FileStore({ dir });
    await store.open({ onCommit: () => {}, onLeaseExpired: () => {} });
    const entry = (revision: number) => ({
      ...serviceInput("web"),
      id: "web",
      location: { type: "local" as const },
      endpoints: [],
      depends_on: [],
      labels: {},
      state: "registered" as const,
      state_reason: null,
      last_health_check: null,
      revision,
      registered_at: "t",
      last_state_change: "t",
      updated_at: "t",
    });
    const change = (revision: number) => ({
      put: entry(revision),
      if_revision: revision - 1,
      events: [{
        event: "service_updated" as const,
        data: { service: "web", id: "web", entry: entry(revision) },
      }],
      time: "t",
    });
    const results = await Promise.allSettled([1, 2, 2, 3].map((r) => store.commit(change(r))));
    assert.deepEqual(results.map((r) => r.status === "fulfilled" || r.reason.code), [
      true,
      true,
      "conflict",
      true,
    ]);
    assert.deepEqual((await store.history(0, 9))?.map((e) => e.seq), [1, 2, 3]);
    await store.close();
    await store.close();
    await refusal("storage_unavailable", () => store.commit(change(4)));
  });
});

Deno.test("FileStore: async mode loses nothing in an ordinary stop", async () => {
  await withTempDir(async (dir) => {
    const history = new History();
    const epoch = await withRegistry({ dir, durability: "async" }, async (registry) => {
      for (let i = 0; i < 100; i++) {
        await registry.register(serviceInput("web", { version: `${i}` }), { replace: true });
      }
      return registry.epoch;
    }, history);
    await withRegistry({ dir, durability: "async" }, (registry) => {
      assertState(registry, history, "reopened");
      assert.deepEqual([registry.epoch, registry.seq], [epoch, 100]);
    });
  });
});

Deno.test("snapshotChunks: 10,000 services do not block the event loop", async () => {
  await using registry = await Registry.open(new MemoryStore());
  await Promise.all(
    Array.from({ length: 10_000 }, (_, i) => registry.register(serviceInput(`s${i}`))),
  );
  const services = [...registry.select({})];
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  let text = "";
  for await (const chunk of snapshotChunks({ epoch: "e", seq: 1, saved_at: "t", services })) {
    text += chunk.toString();
  }
  clearInterval(timer);
  assert.ok(turns >= 2, `${turns} turns`);
  assert.deepEqual(JSON.parse(text).services, registry.list());
});

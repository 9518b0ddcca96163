/** Damaged files: what is loaded is exact, or an older state by truncation, or the damage is reported. */
import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { Registry } from "../../src/registry/registry.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { MemoryDisk, seeded } from "../helpers/memory_disk.ts";
import {
  assertState,
  History,
  recorded,
  say,
  stateText,
  withRegistry,
  withTempDir,
} from "./recording.ts";

type Files = Map<string, Uint8Array>;

/** Damaged copies to try; a longer search by the environment. */
const MUTATIONS = Number(Deno.env.get("HARNESS_DAMAGE_ROUNDS") ?? 2_000);

/** Files of a registry that was stopped in order, or killed with changes after its snapshot. */
async function makeFiles(dir: string, history: History, killed: boolean): Promise<Files> {
  const disk = new MemoryDisk();
  let files: Files = new Map();
  const tuning = { segmentBytes: 4_000, historyEvents: 20, snapshotDelayMs: 60_000 };
  for (let life = 0; life < 3; life++) {
    await withRegistry({ dir, disk, tuning }, async (registry) => {
      for (const name of ["a", "b", "c"]) {
        const id = `${name}${life}`;
        await registry.register(serviceInput(name, { id, labels: { motto: "größer\n“x”" } }));
        await registry.update(id, { state: "starting", version: `${life}` });
        await registry.update(id, { state: "running" });
      }
      await registry.deregister(`a${life}`);
      files = disk.files();
    }, history);
  }
  return killed ? files : disk.files();
}

interface Opened {
  registry: Registry;
  warnings: readonly string[];
  epoch: string;
}

async function tryOpen(dir: string, files: Files, use: (opened: Opened) => void): Promise<boolean> {
  let registry: Registry;
  try {
    registry = await Registry.open(new FileStore({ dir, disk: MemoryDisk.of(files) }));
  } catch (error) {
    assert.ok(error instanceof HarnessError && error.code === "storage_unavailable", String(error));
    return false;
  }
  try {
    use({ registry, warnings: registry.warnings, epoch: registry.epoch });
  } finally {
    await registry.close();
  }
  return true;
}

Deno.test("FileStore: loads a journal cut at any byte", async () => {
  await withTempDir(async (dir) => {
    const disk = new MemoryDisk();
    const history = new History();
    const ends = new Map<number, number>();
    let files: Files = new Map();
    const path = `${dir}/registry.journal`;
    await withRegistry({ dir, disk }, async (registry) => {
      ends.set(0, 0);
      for (const name of ["a", "b", "c"]) {
        await registry.register(serviceInput(name, { labels: { motto: "größer" } }));
        ends.set(disk.files().get(path)?.length ?? 0, registry.seq);
        await registry.update(name, { state: "starting", labels: {} });
        ends.set(disk.files().get(path)?.length ?? 0, registry.seq);
      }
      files = disk.files();
    }, history);
    const journal = files.get(path) ?? new Uint8Array();
    const firstLine = journal.indexOf(10) + 1;
    for (let cut = 0; cut < journal.length; cut++) {
      const damaged = new Map(files).set(path, journal.subarray(0, cut));
      const opened = await tryOpen(dir, damaged, ({ registry, warnings }) => {
        assertState(registry, history, `cut at ${cut}`);
        // The newline itself is not needed: the line before it is whole.
        const whole = [...ends].filter(([end]) => end <= cut + 1).at(-1)?.[1];
        assert.equal(registry.seq, whole, `cut at ${cut}: all whole lines count`);
        const atEnd = cut >= firstLine && (journal[cut - 1] === 10 || journal[cut] === 10);
        if (cut !== firstLine - 1) {
          assert.equal(warnings.length === 0, atEnd, `cut at ${cut}: ${warnings.join("; ")}`);
        }
      });
      assert.ok(opened, `cut at ${cut}`);
    }
  });
});

Deno.test("FileStore: zeros at the end of a journal are unwritten space", async () => {
  await withTempDir(async (dir) => {
    const disk = new MemoryDisk();
    const history = new History();
    const path = `${dir}/registry.journal`;
    let [files, second, epoch]: [Files, number, string] = [new Map(), 0, ""];
    await withRegistry({ dir, disk }, async (registry) => {
      await registry.register(serviceInput("a"));
      second = disk.files().get(path)?.length ?? 0;
      await Promise.all(["b", "c"].map((name) => registry.register(serviceInput(name))));
      [files, epoch] = [disk.files(), registry.epoch];
    }, history);
    const journal = files.get(path) ?? new Uint8Array();
    // From the newline of the line before on.
    for (let from = second - 1; from < journal.length; from++) {
      const zeroed = new Map(files).set(path, journal.slice().fill(0, from));
      const what = `zeros from ${from} on`;
      const opened = await tryOpen(dir, zeroed, ({ registry, warnings }) => {
        assertState(registry, history, what);
        // A newline says nothing: the line before it is whole.
        const lines = journal.subarray(0, from + 1).filter((byte) => byte === 10).length;
        assert.equal(registry.seq, lines - 1, what);
        assert.equal(registry.epoch, epoch, what);
        assert.match(
          warnings.join("; "),
          /^registry\.journal: \d+ bytes of an unfinished write/,
          what,
        );
      });
      assert.ok(opened, what);
    }
  });
});

Deno.test(`FileStore: reports ${MUTATIONS} random damages`, async () => {
  const counts = { exact: 0, older: 0, reported: 0, refused: 0 };
  await withTempDir(async (dir) => {
    for (const killed of [false, true]) {
      const history = new History();
      const files = await makeFiles(dir, history, killed);
      const paths = [...files.keys()].filter((path) => !path.endsWith(".lock"));
      assert.ok(paths.length >= 4, paths.join());
      const seq = history.seq;
      const random = seeded(killed ? 1 : 2);
      for (let round = 0; round < MUTATIONS / 2; round++) {
        const path = paths[round % paths.length] ?? "";
        const bytes = (files.get(path) ?? new Uint8Array()).slice();
        const at = Math.floor(random() * bytes.length);
        const flip = random() < 0.75;
        if (flip) bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
        const damaged = new Map(files).set(path, flip ? bytes : bytes.subarray(0, at));
        const what = `${flip ? "flip" : "cut"} at ${at} of ${path} (round ${round})`;
        const opened = await tryOpen(dir, damaged, ({ registry, warnings }) => {
          for (const entry of registry.list()) {
            assert.ok(history.versions.has(JSON.stringify(entry)), `${what}: an invented entry`);
          }
          if (warnings.length > 0) {
            counts.reported++;
            return;
          }
          assert.equal(stateText(registry.list()), history.at(registry.seq), what);
          // Whole lines cut off the end look like changes that never were; nothing else may be missing.
          if (flip) assert.equal(registry.seq, seq, what);
          counts[registry.seq === seq ? "exact" : "older"]++;
        });
        if (!opened) counts.refused++;
      }
    }
  });
  say(`damaged files: ${JSON.stringify(counts)}`);
  assert.ok(counts.reported > MUTATIONS / 4);
  assert.ok(counts.older <= MUTATIONS / 50);
});

Deno.test("FileStore: a new epoch only where something may be lost", async () => {
  await withTempDir(async (dir) => {
    const history = new History();
    const files = await makeFiles(dir, history, true);
    const epochOf = async (change: (copy: Files) => void) => {
      const copy = new Map(files);
      change(copy);
      let result: { epoch: string; text: string; seq: number } | null = null;
      await tryOpen(dir, copy, ({ registry, epoch, warnings }) => {
        result = { epoch, text: warnings.join("; "), seq: registry.seq };
      });
      assert.ok(result !== null);
      return result as { epoch: string; text: string; seq: number };
    };
    const journal = `${dir}/registry.journal`;
    const good = await epochOf(() => {});
    assert.equal(good.seq, history.seq);
    assert.equal(good.text, "");

    const torn = await epochOf((copy) => copy.set(journal, copy.get(journal)!.slice(0, -20)));
    assert.equal(torn.epoch, good.epoch, "an unfinished write was never acknowledged");
    assert.match(torn.text, /registry\.journal: \d+ bytes of an unfinished write were cut/);

    const noMain = await epochOf((copy) => copy.delete(`${dir}/registry.json`));
    assert.equal(noMain.epoch, good.epoch, "backup and journal have it all");
    assert.equal(noMain.seq, history.seq);

    const badMain = await epochOf((copy) => copy.set(`${dir}/registry.json`, new Uint8Array()));
    assert.equal(badMain.epoch, good.epoch);
    assert.equal(badMain.seq, history.seq);
    assert.match(badMain.text, /registry\.json is damaged \(it is empty\); registry\.json\.bak/);

    const noJournal = await epochOf((copy) => copy.delete(journal));
    assert.notEqual(noJournal.epoch, good.epoch);
    assert.match(noJournal.text, /registry\.journal is missing/);

    const flipped = await epochOf((copy) => {
      const bytes = copy.get(journal)!.slice();
      bytes[bytes.length - 30]! ^= 1;
      copy.set(journal, bytes);
    });
    assert.notEqual(flipped.epoch, good.epoch, "what was damaged may have been seen by others");
    assert.match(flipped.text, /registry\.journal: \d+ bytes at offset \d+ are damaged/);
  });
});

Deno.test("FileStore: sets damaged files aside and is whole again", async () => {
  await withTempDir(async (dir) => {
    const history = new History();
    const files = await makeFiles(dir, history, true);
    const bytes = files.get(`${dir}/registry.journal`)!.slice();
    bytes[200]! ^= 4;
    const main = files.get(`${dir}/registry.json`)!.slice();
    main[300]! ^= 4;
    files.set(`${dir}/registry.journal`, bytes).set(`${dir}/registry.json`, main);
    const disk = MemoryDisk.of(files);
    const strict = new FileStore({ dir, disk, strict: true });
    await assert.rejects(Registry.open(strict), (error: Error) => {
      assert.match(error.message, /strict mode repairs nothing: registry\.json is damaged/);
      return true;
    });
    const state = await withRegistry({ dir, disk }, (registry) => {
      assert.ok(registry.warnings.length >= 2);
      return { epoch: registry.epoch, text: stateText(registry.list()), seq: registry.seq };
    });
    const names = [...disk.files().keys()].map((path) => path.slice(dir.length + 1));
    assert.ok(names.some((n) => /^registry\.json\.corrupt-\d{4}-/.test(n)), names.join());
    assert.ok(names.some((n) => /^registry\.journal\.corrupt-\d{4}-/.test(n)), names.join());
    for (const lost of ["registry.json", "registry.json.bak"]) {
      const copy = new Map(disk.files());
      copy.delete(`${dir}/${lost}`);
      await withRegistry({ dir, disk: MemoryDisk.of(copy), strict: true }, (registry) => {
        assert.equal(registry.epoch, state.epoch);
        assert.equal(registry.seq, state.seq);
        assert.equal(stateText(registry.list()), state.text, `without ${lost}`);
      });
    }
  });
});

Deno.test("FileStore: refuses a newer format", async () => {
  await withTempDir(async (dir) => {
    const files = await makeFiles(dir, new History(), false);
    const text = new TextDecoder().decode(files.get(`${dir}/registry.json`));
    const newer = new Map(files).set(
      `${dir}/registry.json`,
      new TextEncoder().encode(text.replace('"format": 1', '"format": 2')),
    );
    const store = new FileStore({ dir, disk: MemoryDisk.of(newer) });
    await assert.rejects(Registry.open(store), /registry\.json: it has format 2, and this version/);
    const { encodeLine } = await import("../../src/storage/journal/line.ts");
    const open = { format: 2, segment: 9, epoch: "e", seq: 0, durability: "sync", at: "t" };
    const journal = new Map(files).set(`${dir}/registry.journal`, encodeLine({ open }));
    const second = new FileStore({ dir, disk: MemoryDisk.of(journal) });
    await assert.rejects(Registry.open(second), /registry\.journal: it has format 2/);
  });
});

Deno.test("FileStore: all damaged starts empty; strict mode refuses", async () => {
  await withTempDir(async (dir) => {
    const garbage = new TextEncoder().encode("not what it was");
    const files: Files = new Map();
    for (const name of ["registry.json", "registry.json.bak", "registry.journal"]) {
      files.set(`${dir}/${name}`, garbage);
    }
    await tryOpen(dir, files, ({ registry, warnings }) => {
      assert.deepEqual(registry.list(), []);
      assert.ok(warnings.length >= 3, warnings.join("; "));
    });
    const store = recorded(
      new FileStore({ dir, disk: MemoryDisk.of(files), strict: true }),
      new History(),
    );
    await assert.rejects(Registry.open(store), { code: "storage_unavailable" });
  });
});

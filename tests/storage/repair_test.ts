/** Repairs that are cut short, by a power cut or a failing disk, at every operation. */
import assert from "node:assert/strict";
import { Registry } from "../../src/registry/registry.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { MemoryDisk, osError, seeded } from "../helpers/memory_disk.ts";
import { stateText, withRegistry, withTempDir } from "./recording.ts";

type Files = Map<string, Uint8Array>;

const TUNING = { segmentBytes: 2_500, historyEvents: 10, snapshotDelayMs: 60_000 };

/** Files of a killed registry, and the epoch its clients knew. */
async function killed(dir: string): Promise<{ files: Files; epoch: string }> {
  const disk = new MemoryDisk();
  let files: Files = new Map();
  let epoch = "";
  for (let life = 0; life < 2; life++) {
    await withRegistry({ dir, disk, tuning: TUNING }, async (registry) => {
      for (const name of ["a", "b", "c"]) {
        await registry.register(serviceInput(name, { id: `${name}${life}` }));
        for (let i = 0; i < 3; i++) await registry.update(`${name}${life}`, { version: `${i}` });
      }
      files = disk.files();
      epoch = registry.epoch;
    });
  }
  return { files, epoch };
}

const DAMAGES: Record<string, (files: Files, dir: string) => void> = {
  "a flipped bit in the journal": (files, dir) => flip(files, `${dir}/registry.journal`, 120),
  "flipped bits in the snapshot and the journal": (files, dir) => {
    flip(files, `${dir}/registry.json`, 250);
    flip(files, `${dir}/registry.journal`, 120);
  },
  "a flipped bit in a finished segment": (files, dir) => {
    const name = [...files.keys()].find((path) => /journal\.\d+$/.test(path));
    assert.ok(name !== undefined && name.startsWith(dir));
    flip(files, name, 300);
  },
  "a missing journal": (files, dir) => void files.delete(`${dir}/registry.journal`),
  "an empty snapshot": (files, dir) => void files.set(`${dir}/registry.json`, new Uint8Array()),
  "everything damaged": (files) => {
    for (const path of files.keys()) flip(files, path, 60);
  },
};

function flip(files: Files, path: string, at: number): void {
  const bytes = files.get(path)?.slice();
  assert.ok(bytes !== undefined && at < bytes.length, path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  files.set(path, bytes);
}

/** Opens, and tells the state and epoch it came to. */
function outcome(dir: string, disk: MemoryDisk): Promise<{ state: string; epoch: string }> {
  return withRegistry({ dir, disk, tuning: TUNING }, (registry) => ({
    state: stateText(registry.list()),
    epoch: registry.epoch,
  }));
}

for (const [what, damage] of Object.entries(DAMAGES)) {
  Deno.test(`repair: ${what}, cut short anywhere`, async () => {
    await withTempDir(async (dir) => {
      const { files, epoch } = await killed(dir);
      damage(files, dir);
      const whole = MemoryDisk.of(files);
      let operations = 0;
      const expected = await withRegistry({ dir, disk: whole, tuning: TUNING }, (registry) => {
        operations = whole.operations;
        assert.ok(registry.warnings.length > 0);
        return { state: stateText(registry.list()), epoch: registry.epoch };
      });
      const mayContinue = expected.epoch === epoch;
      const random = seeded(operations);
      for (let at = 0; at < operations; at++) {
        const disk = MemoryDisk.of(files);
        const images: Files[] = [];
        disk.fault = (_, index) => {
          if (index !== at) return undefined;
          for (let i = 0; i < 4; i++) images.push(disk.afterPowerCut(random));
          return osError("EIO");
        };
        const store = new FileStore({ dir, disk, tuning: TUNING });
        const failed = await Registry.open(store).then(
          (r) => r.close().then(() => false),
          () => true,
        );
        disk.fault = () => undefined;
        for (const each of [disk, ...images.map((image) => MemoryDisk.of(image))]) {
          const found = await outcome(dir, each);
          const where = `${what}, cut at operation ${at}, failed: ${failed}`;
          assert.equal(found.state, expected.state, where);
          assert.equal(found.epoch === epoch, mayContinue, where);
        }
      }
    });
  });
}

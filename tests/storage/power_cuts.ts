/**
 * Power cuts at every operation: of each the medium keeps a random legal remainder (unsynced writes lost,
 * torn or zeroed, unsynced directory entries lost), from which a new start must find everything that was
 * acknowledged and nothing that never was.
 */
import assert from "node:assert/strict";
import { serviceInput } from "../helpers/fixtures.ts";
import { MemoryDisk, seeded } from "../helpers/memory_disk.ts";
import { assertState, History, say, withRegistry, withTempDir } from "./recording.ts";

interface Image {
  files: Map<string, Uint8Array>;
  acknowledged: number;
  operation: string;
  /** The epoch that clients have seen, if any. */
  epoch: string | null;
}
/** How often the epoch went on, and how often a new one began, where clients had seen one. */
interface EpochCount {
  kept: number;
  new: number;
}

/** Small segments, and a snapshot after each change. */
export const TUNING = { segmentBytes: 3_000, historyEvents: 6, snapshotDelayMs: 0 };
const IMAGES_PER_OPERATION = 2;

async function workload(
  dir: string,
  disk: MemoryDisk,
  history: History,
  random: () => number,
  onOpen: (epoch: string) => void,
): Promise<void> {
  await withRegistry({ dir, disk, tuning: TUNING }, async (registry) => {
    onOpen(registry.epoch);
    await Promise.all(["a", "b", "c", "d"].map(async (name) => {
      const id = `${name}-${registry.seq}`;
      await registry.register(serviceInput(name, { id }), { replace: true });
      for (let i = 0; i < 6; i++) {
        await registry.update(id, { version: `${registry.seq}`, labels: { round: `${i}` } });
        // Lets snapshots happen in between.
        if (random() < 0.3) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      if (random() < 0.5) await registry.deregister(id);
    }));
  }, history);
}

/** Opens what a power cut left, is cut off itself at every operation, and checks all of that. */
async function checkImage(
  dir: string,
  image: Image,
  history: History,
  random: () => number,
  epochs: EpochCount,
) {
  const { acknowledged, operation, epoch } = image;
  const disk = MemoryDisk.of(image.files);
  const again: Image[] = [];
  disk.fault = (name) => {
    if (random() < 0.2) {
      const files = disk.afterPowerCut(random);
      again.push({ files, acknowledged, operation: `repair ${name}`, epoch });
    }
    return undefined;
  };
  await withRegistry({ dir, disk, tuning: TUNING }, (registry) => {
    disk.fault = () => undefined;
    if (epoch !== null) epochs[registry.epoch === epoch ? "kept" : "new"]++;
    const what = `after a cut at ${operation}, ${registry.warnings.join("; ")}`;
    assert.ok(registry.seq >= acknowledged, `${what}: ${registry.seq} < ${acknowledged}`);
    assertState(registry, history, what);
  });
  return again;
}

/** Runs the workloads of these seeds and cuts the power at every operation of each. */
export async function survivePowerCuts(seeds: readonly number[]): Promise<void> {
  let images = 0;
  const epochs: EpochCount = { kept: 0, new: 0 };
  await withTempDir(async (dir) => {
    for (const run of seeds) {
      const random = seeded(run);
      const disk = new MemoryDisk();
      disk.hardLinks = run % 2 === 0;
      const history = new History();
      for (let life = 0; life < 2; life++) {
        const pending: Image[] = [];
        let epoch: string | null = null;
        disk.fault = (operation, index) => {
          for (let i = 0; i < IMAGES_PER_OPERATION; i++) {
            pending.push({
              files: disk.afterPowerCut(random),
              acknowledged: history.seq,
              operation: `${operation} ${index} of run ${run}`,
              epoch,
            });
          }
          return undefined;
        };
        await workload(dir, disk, history, random, (seen) => epoch = seen);
        disk.fault = () => undefined;
        for (const image of pending) {
          const again = await checkImage(dir, image, history, random, epochs);
          for (const second of again) await checkImage(dir, second, history, random, epochs);
          images += 1 + again.length;
        }
      }
    }
  });
  say(`${images} power cuts survived; epoch ${JSON.stringify(epochs)}`);
  assert.ok(images > 1_000 * seeds.length);
  assert.equal(epochs.new, 0, "a power cut alone never ends an epoch");
}

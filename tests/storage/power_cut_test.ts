import assert from "node:assert/strict";
import { serviceInput } from "../helpers/fixtures.ts";
import { MemoryDisk, seeded } from "../helpers/memory_disk.ts";
import { survivePowerCuts, TUNING } from "./power_cuts.ts";
import { assertState, History, withRegistry, withTempDir } from "./recording.ts";

Deno.test("FileStore: a power cut at any operation loses nothing", async () => {
  await survivePowerCuts([0]);
});

Deno.test("FileStore: async mode keeps a prefix after a power cut", async () => {
  await withTempDir(async (dir) => {
    for (let run = 0; run < 40; run++) {
      const random = seeded(run);
      const disk = new MemoryDisk();
      const history = new History();
      const options = { dir, disk, durability: "async", tuning: TUNING } as const;
      let files = new Map<string, Uint8Array>();
      const epoch = await withRegistry(options, async (registry) => {
        await registry.register(serviceInput("web"));
        for (let i = 0; i < 10; i++) await registry.update("web", { version: `${i}` });
        files = disk.afterPowerCut(random);
        return registry.epoch;
      }, history);
      await withRegistry({ dir, disk: MemoryDisk.of(files), tuning: TUNING }, (registry) => {
        assertState(registry, history, `run ${run}`);
        assert.notEqual(registry.epoch, epoch);
        assert.ok(registry.warnings.length > 0);
      });
      await withRegistry({ dir, disk, tuning: TUNING }, (registry) => {
        assert.equal(registry.epoch, epoch, "a close in order keeps the epoch");
        assert.equal(registry.seq, 11);
      });
    }
  });
});

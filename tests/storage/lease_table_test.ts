import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import { Registry } from "../../src/registry/registry.ts";
import { FileStore } from "../../src/storage/file_store.ts";
import { LeaseTable } from "../../src/storage/lease_table.ts";
import { serviceInput } from "../helpers/fixtures.ts";
import { MemoryDisk, osError } from "../helpers/memory_disk.ts";
import { eventually } from "../helpers/raw_client.ts";
import { withTempDir } from "./recording.ts";

/** Blocks this thread, as a stopped process is. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

Deno.test("LeaseTable: reports each expired lease once, no ended one", async () => {
  const expired: string[] = [];
  const table = new LeaseTable((id) => expired.push(id));
  const start = performance.now();
  for (let i = 0; i < 1_000; i++) table.take(`s${i}`, 100 + i % 100);
  table.take("kept", 60_000);
  for (let i = 0; i < 500; i++) table.end(`s${i}`);
  await eventually(() => expired.length >= 500, "the expiries");
  assert.ok(performance.now() - start >= 100);
  assert.equal(new Set(expired).size, 500);
  assert.ok(!expired.includes("kept"));
  table.close();
});

Deno.test("LeaseTable: a pause of this process expires nothing", async () => {
  const expired: string[] = [];
  const table = new LeaseTable((id) => expired.push(id));
  table.take("web", 1_500);
  pause(3_000);
  // The sweep is due at once; the heartbeat that waited meanwhile comes a little later.
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(expired, []);
  table.take("web", 60_000);
  table.close();
});

Deno.test("Registry: an expiry is recorded once the disk works again", async () => {
  await withTempDir(async (dir) => {
    const disk = new MemoryDisk();
    await using registry = await Registry.open(
      new FileStore({ dir, disk, tuning: { retryMs: 1 } }),
    );
    await registry.register(serviceInput("web", { ttl_ms: 100 }));
    disk.fault = (operation) => operation === "sync" ? osError("EIO") : undefined;
    await eventually(() => registry.problem !== null, "the failure");
    assert.equal(registry.get("web").state, "registered");
    await assert.rejects(registry.deregister("web"), HarnessError);
    disk.fault = () => undefined;
    await eventually(() => registry.get("web").state === "failed", "the expiry");
    assert.equal(registry.get("web").state_reason, "heartbeat missed");
  });
});

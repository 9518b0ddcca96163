/**
 * Hostile archives that reached a host after all: refused there, with GNU tar and with BusyBox alone. Nothing is
 * written outside, nothing is left, and the version that ran still runs.
 */
import assert from "node:assert/strict";
import { Bench } from "./support.ts";
import { refuseAll } from "./hostile_archives_fixture.ts";

Deno.test("a host refuses every hostile archive, with its own tar", async () => {
  await using bench = new Bench();
  await refuseAll(bench, bench.target(), { seenRoot: bench.root, outside: bench.dir });
  assert.deepEqual(bench.running(), ["1.0.0"]);
});

import assert from "node:assert/strict";
import type { DocumentStore } from "../../src/server/backends.ts";
import { type Placement, Placements } from "../../src/server/services/placements.ts";

function placement(id: string, name: string, place?: string): Placement {
  const spec = { name, runDir: "/run/service" };
  // deno-lint-ignore no-explicit-any
  return { id, target: "local", origin: "deployed", spec, ...(place && { place }) } as any;
}

function documents(...kept: Placement[]): DocumentStore {
  return {
    list: () => Promise.resolve(kept.map((value) => ({ id: value.id, value }))),
    put: () => Promise.resolve(),
    remove: () => Promise.resolve(),
  };
}

Deno.test("Placements: finds what is placed where", async () => {
  const placements = await Placements.load(
    documents(placement("web@a", "web", "machine"), placement("web@b", "web")),
    () => undefined,
  );
  assert.equal(placements.placedAt("web", "machine"), "web@a");
  assert.equal(placements.placedAt("api", "machine"), null);
  await placements.put(placement("web@b", "web", "machine"));
  await placements.put(placement("web@a", "web", "machine"));
  assert.equal(placements.placedAt("web", "machine"), "web@a", "the first one");
  await placements.put(placement("web@a", "web", "rebooted"));
  assert.equal(placements.placedAt("web", "machine"), "web@b");
  assert.equal(placements.placedAt("web", "rebooted"), "web@a");
  await placements.remove("web@b");
  await placements.remove("web@b");
  assert.equal(placements.placedAt("web", "machine"), null);
  assert.deepEqual(placements.all().map(({ id }) => id), ["web@a"]);
});

Deno.test("Placements: has the names in ids and of entries", async () => {
  const names = new Map([["mine", "api"]]);
  const placements = await Placements.load(
    documents(placement("mine", "api"), placement("web@a", "web")),
    (id) => names.get(id),
  );
  const has = () => ["mine", "api", "web", "db", "later"].filter((one) => placements.hasName(one));
  assert.deepEqual(has(), ["mine", "api", "web"]);
  // Registered again under another name, with the token.
  placements.setName("mine", "later");
  placements.setName("db@a", "db");
  assert.deepEqual(has(), ["mine", "web", "later"]);
  await placements.remove("mine");
  assert.deepEqual(has(), ["web"]);
});

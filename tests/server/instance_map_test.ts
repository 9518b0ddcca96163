import assert from "node:assert/strict";
import { InstanceMap } from "../../src/server/services/instance_map.ts";

Deno.test("InstanceMap: knows the names of its instances", () => {
  const map = new InstanceMap<number>();
  map.set("web@h1", 1);
  map.set("web@[::1]", 2, "web");
  map.set("mine", 3, "api");
  map.setName("unknown", "none");
  const has = (...names: string[]) => names.filter((name) => map.hasName(name));
  assert.deepEqual(has("web", "mine", "api", "none", "we", "h1"), ["web", "mine", "api"]);
  map.delete("web@h1");
  assert.ok(map.hasName("web"));
  map.set("web@[::1]", 4, "web");
  map.delete("web@[::1]");
  map.delete("web@[::1]");
  assert.ok(!map.hasName("web"));
  map.setName("mine", "later");
  assert.deepEqual(has("mine", "api", "later"), ["mine", "later"]);
  map.setName("mine", "mine");
  assert.deepEqual(has("mine", "api", "later"), ["mine"]);
  map.delete("mine");
  assert.deepEqual(has("mine", "api", "later"), []);
});

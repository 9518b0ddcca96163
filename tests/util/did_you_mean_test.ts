import assert from "node:assert/strict";
import { nearestName } from "../../src/util/did_you_mean.ts";

Deno.test("nearestName: the meant name, null when none is near", () => {
  const names = ["list_services", "get_service", "subscribe", "unsubscribe"];
  const cases: Array<[string, string | null]> = [
    ["list_service", "list_services"],
    ["listServices", "list_services"],
    ["LIST-SERVICES", "list_services"],
    ["sbuscribe", "subscribe"],
    ["unsubscrib", "unsubscribe"],
    ["sub", "subscribe"],
    ["su", null],
    ["", null],
    ["frobnicate", null],
    ["subscribe".repeat(8), null],
  ];
  for (const [word, nearest] of cases) assert.equal(nearestName(word, names), nearest, word);
});

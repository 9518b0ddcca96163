import assert from "node:assert/strict";
import { testFiles } from "../tools/test_files.ts";
import { testNames } from "./test_names.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const MAX_LENGTH = 60;

/** Names over 60 characters that each folder still has. A number may only become smaller. */
const STILL_LONG: Readonly<Record<string, number>> = {
  cli: 2,
  e2e: 15,
  executor: 4,
  hosts: 1,
  lifecycle: 2,
  lint: 2,
  package: 1,
  security: 22,
  storage: 1,
};

Deno.test("test names: `unit: behaviour`, at most 60 characters", async () => {
  const long = new Map<string, string[]>();
  for (const file of await testFiles("all", `${ROOT}tests`)) {
    const folder = file.slice(`${ROOT}tests/`.length).split("/")[0] ?? "";
    const names = testNames(file, await Deno.readTextFile(file))
      .filter((name) => name.length > MAX_LENGTH);
    if (names.length > 0) long.set(folder, [...long.get(folder) ?? [], ...names]);
  }
  for (const [folder, names] of long) {
    const most = STILL_LONG[folder] ?? 0;
    const list = names.join("\n");
    assert.ok(names.length <= most, `tests/${folder}: shorten ${names.length - most} of\n${list}`);
  }
});

Deno.test("testNames: plain, template and object forms", () => {
  const text = `Deno.test("a", f); Deno.test(\`b \${x}\`, f); Deno.test({ name: "c", fn });
    other("d", f); Deno.test(name("e"), f);`;
  assert.deepEqual(testNames("x.ts", text), ["a", "b x", "c"]);
});

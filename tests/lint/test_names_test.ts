import assert from "node:assert/strict";
import { testFiles } from "../tools/test_files.ts";
import { testNames } from "./test_names.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const MAX_LENGTH = 60;

Deno.test("test names: at most 60 characters", async () => {
  const long: string[] = [];
  for (const file of await testFiles("all", `${ROOT}tests`)) {
    const names = testNames(file, await Deno.readTextFile(file));
    long.push(...names.filter((name) => name.length > MAX_LENGTH));
  }
  assert.deepEqual(long, []);
});

Deno.test("testNames: plain, template and object forms", () => {
  const text = `Deno.test("a", f); Deno.test(\`b \${x}\`, f); Deno.test({ name: "c", fn });
    other("d", f); Deno.test(name("e"), f);`;
  assert.deepEqual(testNames("x.ts", text), ["a", "b x", "c"]);
});

import assert from "node:assert/strict";
import { testFiles } from "../tools/test_files.ts";
import { testNames } from "./test_names.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const MAX_LENGTH = 60;
const FORM = /^[^:]{2,}: \S/;

Deno.test("test names: `unit: behaviour`, at most 60 characters", async () => {
  const wrong: string[] = [];
  for (const file of await testFiles("all", `${ROOT}tests`)) {
    const names = testNames(file, await Deno.readTextFile(file));
    wrong.push(...names.filter((name) => name.length > MAX_LENGTH || !FORM.test(name)));
  }
  assert.deepEqual(wrong, []);
});

Deno.test("testNames: plain, template and object forms", () => {
  const text = `Deno.test("a", f); Deno.test(\`b \${x}\`, f); Deno.test({ name: "c", fn });
    other("d", f); Deno.test(name("e"), f);`;
  assert.deepEqual(testNames("x.ts", text), ["a", "b x", "c"]);
});

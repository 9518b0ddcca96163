import assert from "node:assert/strict";
import plugin, { FOREIGN } from "./messages.ts";

const found = (text: string, file = "/x/src/cli/a.ts") =>
  Deno.lint.runPlugin(plugin, file, text).length;

Deno.test("no-parsed-message: finds every way to read a message", () => {
  assert.equal(found('error.message.startsWith("a")'), 1);
  assert.equal(found('(error.message ?? "").replace(/a/, "")'), 1);
  assert.equal(found('error?.message.split("\\n")[0]'), 1);
  assert.equal(found("/a/.test(messageOf(error))"), 1);
  assert.equal(found('/a/.exec(error?.message ?? "")'), 1);
  assert.equal(found("messageOf(error).trim().slice(3)"), 1);
  assert.equal(found("const text = messageOf(error); /a/i.test(text)"), 1);
  assert.equal(found('function f(message) { return message.includes("a"); }'), 1);
});

Deno.test("no-parsed-message: leaves other texts and files alone", () => {
  assert.equal(found("error.message.slice(0, 10)"), 0);
  assert.equal(found('stderr.split("\\n")'), 0);
  assert.equal(found("`${error.message}; try again`"), 0);
  assert.equal(found('error.message.startsWith("a")', "/x/tests/a.ts"), 0);
  for (const file of Object.keys(FOREIGN)) {
    assert.equal(found('error.message.startsWith("a")', `/x/src/${file}`), 0);
    assert.ok(Deno.statSync(new URL(`../../src/${file}`, import.meta.url)).isFile);
  }
});

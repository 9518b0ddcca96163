import assert from "node:assert/strict";
import fc from "fast-check";
import { globMatcher, matchesPatternList } from "../../src/util/glob.ts";
import { SEED } from "../helpers/seed.ts";

Deno.test("globMatcher: * and ? are wildcards, all else is literal", () => {
  const matches: [string, string, boolean][] = [
    ["web", "web", true],
    ["web", "web2", false],
    ["", "", true],
    ["*", "", true],
    ["*", "anything@h", true],
    ["api-*", "api-", true],
    ["api-*", "ap", false],
    ["*-prod", "web-prod", true],
    ["w?b", "web", true],
    ["w?b", "wb", false],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "acb", false],
    ["web@[::1]", "web@[::1]", true],
    ["web@h.1", "web@hx1", false],
  ];
  for (const [pattern, text, expected] of matches) {
    assert.equal(globMatcher(pattern)(text), expected, `${pattern} ~ ${text}`);
  }
});

Deno.test("globMatcher: as a regular expression, at bounded cost", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", ".", "@") });
  fc.assert(
    fc.property(letters, letters, (pattern, text) => {
      const source = pattern.replace(/[.@]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".");
      assert.equal(globMatcher(pattern)(text), new RegExp(`^${source}$`, "s").test(text));
    }),
    { seed: SEED },
  );
  assert.equal(globMatcher("*a".repeat(250) + "b")("a".repeat(50_000)), false);
});

Deno.test("matchesPatternList: negated patterns win, case is ignored", () => {
  assert.ok(!matchesPatternList("web1", ["web*", "!web1"]));
  assert.ok(matchesPatternList("WEB2", ["web*", "!web1"]));
  assert.ok(matchesPatternList("web2", ["WEB?"]));
  assert.ok(!matchesPatternList("web2", ["!db"]));
});

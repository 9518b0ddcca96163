import assert from "node:assert/strict";
import fc from "fast-check";
import type { EventBody } from "../../src/model/event.ts";
import { eventMatcher, matchesFilter, matchesGlob } from "../../src/registry/filter.ts";
import { SEED } from "../helpers/seed.ts";

Deno.test("matchesGlob() knows * and ? and takes all else as it is", () => {
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
    assert.equal(matchesGlob(pattern, text), expected, `${pattern} ~ ${text}`);
  }
});

Deno.test("matchesGlob() agrees with a regular expression, and hostile patterns cost nothing", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", ".", "@") });
  fc.assert(
    fc.property(letters, letters, (pattern, text) => {
      const source = pattern.replace(/[.@]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".");
      assert.equal(matchesGlob(pattern, text), new RegExp(`^${source}$`, "s").test(text));
    }),
    { seed: SEED },
  );
  assert.equal(matchesGlob("*a".repeat(250) + "b", "a".repeat(50_000)), false);
});

Deno.test("matchesFilter() and eventMatcher() match types, ids, names and globs alike", () => {
  const changed = (service: string, id: string): EventBody => ({
    event: "service_deregistered",
    data: { service, id },
  });
  const progress: EventBody = {
    event: "deployment_progress",
    data: {
      deployment_id: "d-1",
      service: "web",
      id: null,
      host: null,
      step: "finish",
      status: "done",
      at: "t",
    },
  };
  const cases: [EventBody, Parameters<typeof matchesFilter>[1], boolean][] = [
    [changed("web", "web@h1"), {}, true],
    [changed("web", "web@h1"), { events: ["service_deregistered"] }, true],
    [changed("web", "web@h1"), { events: ["service_registered"] }, false],
    [changed("web", "web@h1"), { services: ["web"] }, true],
    [changed("web", "web@h1"), { services: ["web@h1"] }, true],
    [changed("web", "web@h1"), { services: ["web@h2", "w"] }, false],
    [changed("web", "web@h1"), { services: ["*@h1"] }, true],
    [changed("web", "web@h1"), { services: ["we?"] }, true],
    [changed("web", "web@h1"), { events: [], services: ["web"] }, false],
    [progress, { services: ["web"] }, true],
    [progress, { services: ["web@*"] }, false],
  ];
  for (const [event, filter, expected] of cases) {
    assert.equal(matchesFilter(event, filter), expected, JSON.stringify(filter));
    assert.equal(eventMatcher(filter)(event), expected, JSON.stringify(filter));
  }
});

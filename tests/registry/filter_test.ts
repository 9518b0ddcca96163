import assert from "node:assert/strict";
import type { EventBody } from "../../src/model/event.ts";
import { eventMatcher } from "../../src/registry/filter.ts";

Deno.test("eventMatcher: types, ids, names and globs", () => {
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
  const cases: [EventBody, Parameters<typeof eventMatcher>[0], boolean][] = [
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
    assert.equal(eventMatcher(filter)(event), expected, JSON.stringify(filter));
  }
});

import assert from "node:assert/strict";
import fc from "fast-check";
import { isCleanEnd, RestartCounter } from "../../src/lifecycle/supervisor/restart_policy.ts";

const crash = { exitCode: 1, signal: null };

Deno.test("RestartCounter: doubles, adds jitter, caps and gives up", () => {
  const counter = new RestartCounter({ policy: "on-failure", maxRetries: 12, backoffMs: 1_000 }, {
    random: () => 0,
  });
  const delays = Array.from({ length: 12 }, () => {
    const decision = counter.ended(crash, 10);
    return decision.action === "restart" ? decision.delayMs : -1;
  });
  assert.deepEqual(delays.slice(0, 4), [1_000, 2_000, 4_000, 8_000]);
  assert.deepEqual(delays.slice(-2), [300_000, 300_000]);
  const last = counter.ended(crash, 10);
  assert.ok(last.action === "give_up" && last.attempts === 12 && last.history.length === 13);
});

Deno.test("RestartCounter: forgets after a stable run and a reset", () => {
  const counter = new RestartCounter({ policy: "always", maxRetries: 1, backoffMs: 10 }, {
    stableMs: 100,
  });
  assert.equal(counter.ended(crash, 0).action, "restart");
  assert.equal(counter.ended(crash, 99).action, "give_up");
  assert.equal(counter.ended(crash, 100).action, "restart");
  counter.reset();
  assert.equal(counter.ended(crash, 0).action, "restart");
});

Deno.test("RestartCounter: follows the policy", () => {
  const action = (
    policy: "no" | "on-failure" | "always",
    end: { exitCode: number | null; signal: string | null },
  ) => new RestartCounter({ policy, maxRetries: 3, backoffMs: 1 }).ended(end, 0).action;
  const clean = { exitCode: 0, signal: null };
  assert.deepEqual([action("no", crash), action("no", clean)], ["leave", "leave"]);
  assert.deepEqual([action("on-failure", crash), action("on-failure", clean)], [
    "restart",
    "leave",
  ]);
  assert.deepEqual([action("always", crash), action("always", clean)], ["restart", "restart"]);
  assert.equal(
    action("on-failure", { exitCode: null, signal: null }),
    "restart",
    "an unknown end is a crash",
  );
  assert.deepEqual(
    [{ exitCode: 143, signal: null }, { exitCode: null, signal: "SIGTERM" }, {
      exitCode: null,
      signal: "SIGKILL",
    }].map(isCleanEnd),
    [true, true, false],
  );
});

Deno.test("RestartCounter: never more often or sooner than asked", () => {
  fc.assert(
    fc.property(
      fc.nat(6),
      fc.integer({ min: 1, max: 5_000 }),
      fc.array(
        fc.record({ upMs: fc.nat(200), random: fc.double({ min: 0, max: 1, noNaN: true }) }),
        { maxLength: 40 },
      ),
      (maxRetries, backoffMs, ends) => {
        let random = 0;
        const counter = new RestartCounter({ policy: "on-failure", maxRetries, backoffMs }, {
          stableMs: 150,
          random: () => random,
        });
        let inRow = 0;
        for (const end of ends) {
          random = end.random;
          if (end.upMs >= 150) inRow = 0;
          const decision = counter.ended(crash, end.upMs);
          if (decision.action !== "restart") {
            assert.equal(inRow, maxRetries);
            continue;
          }
          inRow++;
          assert.ok(inRow <= maxRetries && decision.attempt === inRow);
          assert.ok(decision.delayMs >= backoffMs && decision.delayMs <= 300_000 * 1.2 + 1);
        }
      },
    ),
  );
});

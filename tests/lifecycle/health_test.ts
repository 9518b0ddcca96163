import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import type { Executor } from "../../src/executor/executor.ts";
import {
  checkHealth,
  type HealthCheckResult,
  waitUntilHealthy,
} from "../../src/lifecycle/health/check.ts";
import { HealthMonitor, HealthThresholds } from "../../src/lifecycle/health/monitor.ts";
import { parseHttpAnswer } from "../../src/lifecycle/health/probe.ts";
import { SCRIPT_PROBE } from "../../src/lifecycle/health/scripts.ts";
import type { HealthEvent } from "../../src/lifecycle/supervisor/events.ts";
import {
  Gate,
  health,
  LOCAL,
  localMachine,
  pidsWith,
  Place,
  processController,
} from "./fixture.ts";
import { LOOP, testChecks } from "./health_cases.ts";
import { untilPasses } from "../helpers/raw_client.ts";

testChecks(LOCAL);

Deno.test("probe script: ends by itself when its caller is gone", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const mark = crypto.randomUUID();
  const script = place.script("hangs.sh", `#!/bin/sh\nMARK=${mark} sleep 600\n`);
  // No deadline of ours: only the one that the machine itself keeps, of one second.
  await machine.executor.run({
    script: SCRIPT_PROBE,
    args: [place.dir, "", "", mark, "1", script],
  });
  await untilPasses(async () => assert.deepEqual(await pidsWith(mark), []));
});

Deno.test("checkHealth: http timeout and abort", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const probe = { type: "http", port, path: "/", status: [], body: null } as const;
  const spec = (timeoutMs: number) =>
    place.shell("web", LOOP, { health: health({ ...probe, status: [] }, { timeoutMs }) });
  const result = await checkHealth(machine.executor, spec(200));
  assert.equal(result.message, "http check: no response within 200 ms");
  const reason = new Error("enough");
  await assert.rejects(
    checkHealth(machine.executor, spec(20_000), { signal: AbortSignal.any([abortSoon(reason)]) }),
    reason,
  );
  listener.close();
});

function abortSoon(reason: Error): AbortSignal {
  const controller = new AbortController();
  queueMicrotask(() => setTimeout(() => controller.abort(reason), 50));
  return controller.signal;
}

Deno.test("waitUntilHealthy: passes, or reports last check and log", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const script = place.script(
    "h.sh",
    `#!/bin/sh\n[ -e ${place.path("ready")} ] || { echo not yet; exit 2; }\necho ready\n`,
  );
  const spec = place.shell("api", `echo starting; ${LOOP}`, {
    health: health({ type: "script", script }),
  });
  const controller = processController(machine, spec);
  await controller.start();
  const results: HealthCheckResult[] = [];
  let error: unknown;
  // A machine that is too busy for two checks in that time gets more.
  for (let timeoutMs = 1_000; results.length < 2 && timeoutMs < 100_000; timeoutMs *= 4) {
    results.length = 0;
    error = await waitUntilHealthy(machine.executor, spec, {
      timeoutMs,
      onResult: (result) => results.push(result),
    }).catch((error) => error);
  }
  assert.ok(results.length >= 2, `${results.length} checks`);
  assert.ok(error instanceof HarnessError && error.code === "unavailable");
  assert.match(
    error.message,
    /^Cannot keep api on \S+: it started, but was not healthy within \d+ ms: the health script exited with code 2: not yet/,
  );
  assert.deepEqual(error.details?.log, ["starting"]);
  assert.equal((error.details?.health as HealthCheckResult).output, "not yet");
  setTimeout(() => Deno.writeTextFileSync(place.path("ready"), ""), 200);
  assert.equal(
    (await waitUntilHealthy(machine.executor, spec, { timeoutMs: 60_000 })).message,
    "ready",
  );
  await controller.stop();
});

Deno.test("waitUntilHealthy: ends with the service, with exit code", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const gate = new Gate(place);
  const spec = place.shell("api", `${gate.wait}; echo out of memory; exit 12`, {
    health: health({ type: "tcp", port: 1 }),
  });
  await processController(machine, spec).start();
  const error = await waitUntilHealthy(machine.executor, spec, {
    timeoutMs: 3_600_000, // longer than any test may take
    onResult: () => gate.open(),
  }).catch((error) => error);
  assert.match(
    error.message,
    /^Cannot keep api on \S+: it started, but it exited with code 12 while its health was/,
  );
  assert.deepEqual([error.details?.exit_code, error.details?.log], [12, ["out of memory"]]);
});

Deno.test("HealthThresholds: retries, start period and successes", () => {
  const spec = health({ type: "tcp", port: 1 }, { retries: 2, successes: 2, startPeriodMs: 1_000 });
  const fresh = new HealthThresholds(spec, { fresh: true, now: 0 });
  assert.deepEqual(fresh.add(false, 500), { healthy: null, changed: false });
  assert.deepEqual(fresh.add(false, 900), { healthy: null, changed: false });
  assert.deepEqual(fresh.add(false, 1_100), { healthy: null, changed: false });
  assert.deepEqual(fresh.add(false, 1_200), { healthy: false, changed: true });
  assert.deepEqual(fresh.add(true, 1_300), { healthy: false, changed: false });
  assert.deepEqual(fresh.add(false, 1_400), { healthy: false, changed: false });
  assert.deepEqual(fresh.add(true, 1_500), { healthy: false, changed: false });
  assert.deepEqual(fresh.add(true, 1_600), { healthy: true, changed: true });
  assert.deepEqual(fresh.add(false, 1_700), { healthy: true, changed: false });
  assert.deepEqual(fresh.add(true, 1_800), { healthy: true, changed: false });
  const early = new HealthThresholds(spec, { fresh: true, now: 0 });
  assert.deepEqual(
    early.add(true, 10),
    { healthy: true, changed: true },
    "the first pass ends the start",
  );
  assert.equal(early.starting(20), false);
});

Deno.test("HealthMonitor: at most N checks at once, none at the end", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const running = place.path("running");
  Deno.mkdirSync(running);
  const script = place.script(
    "h.sh",
    `#!/bin/sh\ntouch ${running}/$$\nls ${running} | wc -l >> ${
      place.path("counts")
    }\nsleep 0.1\nrm ${running}/$$\n`,
  );
  const events: HealthEvent[] = [];
  {
    await using monitor = new HealthMonitor({
      maxConcurrent: 3,
      random: () => 0,
      onEvent: (event) => void events.push(event),
    });
    for (let i = 0; i < 12; i++) {
      monitor.add({
        id: `s${i}`,
        spec: place.shell(`s${i}`, LOOP, {
          health: health({ type: "script", script }, { intervalMs: 20, timeoutMs: 20_000 }),
        }),
        executor: () => Promise.resolve(machine.executor),
      });
    }
    await untilPasses(() => assert.equal(new Set(events.map((event) => event.id)).size, 12));
  }
  const count = events.length;
  const counts = (await Deno.readTextFile(place.path("counts"))).trim().split("\n").map(Number);
  assert.ok(Math.max(...counts) <= 3 && Math.max(...counts) >= 2, counts.join(" "));
  // Nothing tells that a check stays away: the pauses of several (20 ms each) are waited out.
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(events.length, count);
  const published = events.filter((event) => event.publish);
  assert.equal(published.length, 12, "each verdict once, however many checks confirm it");
});

Deno.test("HealthMonitor: disposal waits for a removed check", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  let running = 0;
  const executor: Executor = {
    host: machine.executor.host,
    run: async (command, options) => {
      running++;
      try {
        return await machine.executor.run(command, options);
      } finally {
        running--;
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const script = place.script("check.sh", `#!/bin/sh\necho up > ${place.path("up")}\nsleep 100\n`);
  {
    await using monitor = new HealthMonitor({ onEvent: () => {} });
    const spec = place.shell("s", LOOP, { health: health({ type: "script", script }) });
    monitor.add({ id: "s", spec, executor: () => Promise.resolve(executor) });
    await untilPasses(() => Deno.stat(place.path("up")));
    monitor.remove("s");
  }
  assert.equal(running, 0);
});

Deno.test("parseHttpAnswer: skips interim answers, keeps the error", () => {
  assert.deepEqual(
    parseHttpAnswer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\nhi\n"),
    {
      status: 200,
      body: "hi",
    },
  );
  assert.deepEqual(parseHttpAnswer("HTTP/1.0 204 No Content\r\n\r\n"), { status: 204, body: "" });
  assert.equal(parseHttpAnswer("curl: (7) Failed to connect\n"), "curl: (7) Failed to connect");
  assert.equal(parseHttpAnswer("@harness an http probe needs curl\n"), "an http probe needs curl");
  assert.equal(parseHttpAnswer(""), "no answer");
});

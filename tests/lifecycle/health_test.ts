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
import { needs } from "../helpers/require.ts";
import {
  eventually,
  Gate,
  health,
  localMachine,
  type Machine,
  MACHINES,
  pidsWith,
  Place,
  processController,
} from "./fixture.ts";

const LOOP = "while :; do sleep 0.2; done";

/** A web server for probes, and nothing more. */
function serveProbe(): Deno.HttpServer<Deno.NetAddr> & AsyncDisposable {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/ill") return new Response("database down\nmore", { status: 503 });
    if (pathname === "/moved") return Response.redirect("http://127.0.0.1:1/", 302);
    if (pathname === "/big") return new Response("x".repeat(1024 * 1024));
    return new Response("all is well");
  });
}

for (const { name: where, component, open } of MACHINES) {
  const test = (name: string, fn: (machine: Machine, place: Place) => Promise<void>) =>
    Deno.test({
      name: `checkHealth() ${name}, ${where}`,
      ignore: component !== null && needs(component),
      async fn() {
        await using place = new Place();
        await using machine = await open(place);
        await fn(machine, place);
      },
    });

  test("judges http by status and body", async (machine, place) => {
    await using server = serveProbe();
    const { port } = server.addr;
    const check = (
      path: string,
      options: { status?: number[]; body?: string; port?: number | string } = {},
    ) =>
      checkHealth(
        machine.executor,
        place.shell("web", LOOP, {
          ports: [{ name: "http", port, protocol: "http" }],
          health: health({
            type: "http",
            port: options.port ?? "http",
            path,
            status: options.status ?? [],
            body: options.body ?? null,
          }),
        }),
      );
    const good = await check("/ok?a=b&c='%20");
    assert.deepEqual([good.healthy, good.status, good.http_status, good.output], [
      true,
      "ok",
      200,
      "all is well",
    ]);
    const ill = await check("/ill");
    assert.deepEqual([ill.healthy, ill.http_status, ill.output], [
      false,
      503,
      "database down\nmore",
    ]);
    assert.match(ill.message, /\/ill: 503: database down$/);
    assert.equal((await check("/ill", { status: [503] })).healthy, true);
    assert.equal((await check("/ok", { status: [204] })).healthy, false);
    assert.equal((await check("/ok", { body: "is well" })).healthy, true);
    assert.match((await check("/ok", { body: "absent" })).message, /does not contain "absent"/);
    const moved = await check("/moved");
    assert.deepEqual(
      [moved.healthy, moved.http_status],
      [true, 302],
      "a redirect is an answer, not followed",
    );
    assert.ok(((await check("/big")).output?.length ?? 0) <= 64 * 1024);
    const refused = await check("/ok", { port: 1 });
    assert.deepEqual([refused.healthy, refused.http_status], [false, null]);
    assert.match(refused.message, /refused|connect/i);
    await assert.rejects(check("/", { port: "nothing" }), /no port of that name \(it has http\)/);
  });

  test("judges tcp by a connection", async (machine, place) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    const spec = (port: number) =>
      place.shell("db", LOOP, { health: health({ type: "tcp", port }) });
    assert.equal((await checkHealth(machine.executor, spec(port))).healthy, true);
    assert.equal((await checkHealth(machine.executor, spec(1))).healthy, false);
  });

  test("judges a script by its exit code and keeps what it said", async (machine, place) => {
    const run = (text: string, mode?: number) =>
      checkHealth(
        machine.executor,
        place.shell("api", LOOP, {
          health: health({ type: "script", script: place.script("h.sh", text, mode) }),
        }),
      );
    const fine = await run("#!/bin/sh\necho fine\necho more >&2\n");
    assert.deepEqual([fine.status, fine.message, fine.output], ["ok", "fine", "fine\nmore"]);
    const warning = await run("#!/bin/sh\necho disk 90% full\nexit 1\n");
    assert.deepEqual([warning.healthy, warning.status, warning.message], [
      true,
      "warning",
      "disk 90% full",
    ]);
    const critical = await run("#!/bin/sh\necho disk full\nexit 2\n");
    assert.deepEqual([critical.healthy, critical.status], [false, "critical"]);
    assert.match(critical.message, /exited with code 2: disk full/);
    assert.match((await run("#!/bin/sh\n", 0o644)).message, /code 126 \(could not be executed\)/);
  });

  test("kills a script that hangs, with its children", async (machine, place) => {
    const mark = `${place.dir}/hang-mark`;
    const child = `sh -c ': ${mark}; sleep 60; :'`;
    const script = place.script("hang.sh", `#!/bin/sh\n${child} &\nsetsid ${child} &\n${child}\n`);
    const spec = place.shell("api", LOOP, {
      health: health({ type: "script", script }, { timeoutMs: 400 }),
    });
    const result = await checkHealth(machine.executor, spec);
    assert.deepEqual([result.healthy, result.message], [
      false,
      "script check: no answer within 400 ms",
    ]);
    await eventually(async () => assert.deepEqual(await pidsWith(mark), []));
  });
}

Deno.test("a probe script ends by itself when nobody is left to end it", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const mark = crypto.randomUUID();
  const script = place.script("hangs.sh", `#!/bin/sh\nMARK=${mark} sleep 600\n`);
  // No deadline of ours: only the one that the machine itself keeps, of one second.
  await machine.executor.run({
    script: SCRIPT_PROBE,
    args: [place.dir, "", "", mark, "1", script],
  });
  await eventually(async () => assert.deepEqual(await pidsWith(mark), []));
});

Deno.test("checkHealth() gives up an http answer that never comes, and rejects when aborted", async () => {
  await using place = new Place();
  await using machine = await localMachine();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const probe = { type: "http", port, path: "/", status: [], body: null } as const;
  const spec = (timeoutMs: number) =>
    place.shell("web", LOOP, { health: health({ ...probe, status: [] }, { timeoutMs }) });
  const result = await checkHealth(machine.executor, spec(200));
  assert.equal(result.message, "http check: no answer within 200 ms");
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

Deno.test("waitUntilHealthy() resolves when it passes, and reports the last check and log when it does not", async () => {
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
  const error = await waitUntilHealthy(machine.executor, spec, {
    timeoutMs: 3_000,
    onResult: (result) => results.push(result),
  }).catch((error) => error);
  assert.ok(error instanceof HarnessError && error.code === "unavailable");
  assert.match(
    error.message,
    /^Cannot keep api on \S+: it started, but was not healthy within 3000 ms: the health script exited with code 2: not yet/,
  );
  assert.deepEqual(error.details?.log, ["starting"]);
  assert.equal((error.details?.health as HealthCheckResult).output, "not yet");
  assert.ok(results.length >= 2);
  setTimeout(() => Deno.writeTextFileSync(place.path("ready"), ""), 200);
  assert.equal(
    (await waitUntilHealthy(machine.executor, spec, { timeoutMs: 60_000 })).message,
    "ready",
  );
  await controller.stop();
});

Deno.test("waitUntilHealthy() ends at once when the service does, with exit code and log", async () => {
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

Deno.test("HealthThresholds needs failures in a row, forgives the start period and honours successes", () => {
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

Deno.test("HealthMonitor runs at most N checks at once, and none after it is disposed of", async () => {
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
    await eventually(() => assert.equal(new Set(events.map((event) => event.id)).size, 12));
  }
  const count = events.length;
  const counts = (await Deno.readTextFile(place.path("counts"))).trim().split("\n").map(Number);
  assert.ok(Math.max(...counts) <= 3 && Math.max(...counts) >= 2, counts.join(" "));
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(events.length, count);
  const published = events.filter((event) => event.publish);
  assert.equal(published.length, 12, "each verdict once, however many checks confirm it");
});

Deno.test("HealthMonitor: disposal waits for a check that was removed", async () => {
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
    await eventually(() => Deno.stat(place.path("up")));
    monitor.remove("s");
  }
  assert.equal(running, 0);
});

Deno.test("parseHttpAnswer() skips interim answers and keeps what went wrong", () => {
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

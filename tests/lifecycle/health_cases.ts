import assert from "node:assert/strict";
import { checkHealth } from "../../src/lifecycle/health/check.ts";
import { needs } from "../helpers/require.ts";
import { health, type Machine, pidsWith, Place } from "./fixture.ts";
import type { MachineKind } from "./fixture.ts";
import { untilPasses } from "../helpers/raw_client.ts";

export const LOOP = "while :; do sleep 0.2; done";

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

/** What checkHealth() does on every kind of machine. */
export function testChecks({ name: where, component, open }: MachineKind): void {
  const test = (name: string, fn: (machine: Machine, place: Place) => Promise<void>) =>
    Deno.test({
      name: `checkHealth: ${name}, ${where}`,
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
      "script check: no response within 400 ms",
    ]);
    await untilPasses(async () => assert.deepEqual(await pidsWith(mark), []));
  });
}

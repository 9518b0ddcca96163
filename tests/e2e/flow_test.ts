import assert from "node:assert/strict";
import { startControlServer } from "../helpers/control_server.ts";
import { eventually, type Frame, RawClient } from "../helpers/raw_client.ts";
import { tempDir } from "../helpers/temp_dir.ts";

Deno.test("command: started, watched and stopped for real", async (t) => {
  await using dir = await tempDir();
  await using server = await startControlServer({ dir: dir.path });
  await using client = await RawClient.ready(server.url);
  await client.call("subscribe", { events: ["service_state_changed"] });
  await client.call("register_service", {
    service: {
      name: "sleeper",
      version: "1.0.0",
      execution: { type: "managed_process", command: "/bin/sleep", args: ["600"], pid: null },
    },
  });

  await t.step("of eight simultaneous starts exactly one wins", async () => {
    const ids = Array.from(
      { length: 8 },
      () => client.ask("service_action", { name: "sleeper", action: "start" }),
    );
    const responses: Frame[] = [];
    for (const id of ids) {
      responses.push(await client.take((f) => f["type"] === "response" && f["id"] === id, id));
    }
    const won = responses.filter((r) => "data" in r);
    assert.equal(won.length, 1);
    assert.equal(won[0]?.["data"].new_state, "running");
    const codes = responses.filter((r) => "error" in r).map((r) => r["error"].code);
    assert.deepEqual(new Set(codes), new Set(["invalid_transition"]));
  });

  await t.step("a kill is noticed and named", async () => {
    const { execution } = await client.call("get_service", { name: "sleeper" });
    Deno.kill(execution.pid, "SIGKILL");
    const failed = await client.take(
      (f) => f["event"] === "service_state_changed" && f["data"].new_state === "failed",
      "failed",
    );
    assert.match(failed["data"].reason, /KILL/);
    assert.equal(failed["data"].details.signal, "SIGKILL");
  });

  await t.step("a stop ends the process and its state", async () => {
    await client.call("service_action", { name: "sleeper", action: "start" });
    const { execution } = await client.call("get_service", { name: "sleeper" });
    const stopped = await client.call("service_action", { name: "sleeper", action: "stop" });
    assert.deepEqual([stopped.old_state, stopped.new_state], ["running", "stopped"]);
    assert.throws(() => Deno.kill(execution.pid, "SIGCONT"));
    const refused = await client.fail("service_action", { name: "sleeper", action: "reload" });
    assert.equal(refused.code, "invalid_transition");
  });

  await t.step("a program that is not there fails with a reason that names it", async () => {
    await client.call("register_service", {
      service: {
        name: "absent",
        version: "1",
        execution: { type: "managed_process", command: "/no/such/program", args: [], pid: null },
      },
    });
    const error = await client.fail("service_action", { name: "absent", action: "start" });
    assert.match(error.message, /\/no\/such\/program/);
    await eventually(
      () => server.registry.get("absent").state === "failed",
      "the state to be failed",
    );
    assert.match(server.registry.get("absent").state_reason ?? "", /\/no\/such\/program/);
  });
});

Deno.test("command: one that was replaced is the one that is started", async () => {
  await using dir = await tempDir();
  await using server = await startControlServer({ dir: dir.path });
  await using client = await RawClient.ready(server.url);
  const register = (seconds: string, replace: boolean) =>
    client.call("register_service", {
      replace,
      service: {
        name: "sleeper",
        version: seconds,
        execution: { type: "managed_process", command: "/bin/sleep", args: [seconds], pid: null },
      },
    });
  const act = (action: string) => client.call("service_action", { name: "sleeper", action });
  const runs = async () => {
    const { execution } = await client.call("get_service", { name: "sleeper" });
    return (await Deno.readTextFile(`/proc/${execution.pid}/cmdline`)).split("\0")[1];
  };
  await register("601", false);
  await act("start");
  assert.equal(await runs(), "601");
  await act("stop");
  await register("602", true);
  await act("start");
  assert.equal(await runs(), "602");

  await register("603", true); // while it runs
  assert.equal(await runs(), "602");
  const { pid: old } = (await client.call("get_service", { name: "sleeper" })).execution;
  await act("restart");
  assert.equal(await runs(), "603");
  assert.throws(() => Deno.kill(old, "SIGCONT"), "the old one is stopped");

  // Deregistered while it runs it is left alone, and is not taken for another service of that name.
  const { pid: left } = (await client.call("get_service", { name: "sleeper" })).execution;
  const refused = await client.fail("deregister_service", { name: "sleeper" });
  assert.deepEqual([refused.code, refused.details.reason], ["conflict", "still_running"]);
  assert.equal((await client.call("get_service", { name: "sleeper" }))["state"], "running");
  assert.deepEqual(
    await client.call("deregister_service", { name: "sleeper", force: true }),
    { removed: true, runs_on: true },
  );
  await register("604", false);
  await act("start");
  assert.equal(await runs(), "604");
  Deno.kill(left, "SIGTERM");
  await act("stop");
});

Deno.test("service_action: leaves alone what others run", async () => {
  await using dir = await tempDir();
  await using server = await startControlServer({ dir: dir.path });
  await using client = await RawClient.ready(server.url);
  const { registry } = server;
  const execution = { type: "managed_process" as const, command: "/bin/sleep", args: ["600"] };
  await registry.register({ name: "db", version: "1", execution, ttl_ms: 60_000 });
  await registry.register({ name: "web", version: "1", execution, depends_on: ["db"] });
  await client.call("heartbeat", { name: "db" });
  for (const state of ["starting", "running"] as const) await registry.update("web", { state });
  for (const action of ["stop", "restart", "reload"]) {
    for (const how of [{}, { dry_run: true }, { cascade: true }]) {
      const error = await client.fail("service_action", { name: "db", action, ...how });
      assert.deepEqual([error.code, error.details.reason], ["conflict", "run_by_others"]);
    }
  }
  assert.deepEqual(registry.list().map(({ state }) => state), ["running", "running"]);
  // Its owner stopped it: from then on a start is ours.
  for (const state of ["stopping", "stopped"] as const) await registry.update("db", { state });
  await client.call("service_action", { name: "db", action: "start" });
  const plan = { name: "db", action: "stop", cascade: true, dry_run: true };
  assert.deepEqual((await client.call("service_action", plan))["plan"], [
    { action: "stop", services: ["db"] },
  ], "web is run by others");
  await client.call("service_action", { name: "db", action: "stop" });
  for (const name of ["db", "web"]) await client.call("deregister_service", { name });
});

Deno.test("cascade: starts dependencies first, stops dependents first", async () => {
  await using dir = await tempDir();
  await using server = await startControlServer({ dir: dir.path });
  await using client = await RawClient.ready(server.url);
  const needsOf: Record<string, string[]> = {
    db: [],
    cache: [],
    api: ["db", "cache"],
    web: ["api"],
  };
  for (const [name, depends_on] of Object.entries(needsOf)) {
    await client.call("register_service", {
      service: {
        name,
        version: "1",
        depends_on,
        execution: { type: "managed_process", command: "/bin/sleep", args: ["600"], pid: null },
      },
    });
  }
  const plan = await client.call("service_action", {
    name: "web",
    action: "start",
    cascade: true,
    dry_run: true,
  });
  assert.deepEqual(plan.waves, [["cache", "db"], ["api"], ["web"]]);
  assert.equal(server.registry.get("db").state, "registered");

  await client.call("subscribe", { events: ["service_state_changed"] });
  await client.call("service_action", { name: "web", action: "start", cascade: true });
  const started = client.drain().filter((f) => f["data"]?.new_state === "running")
    .map((f) => f["data"].id);
  assert.deepEqual(new Set(started.slice(0, 2)), new Set(["db", "cache"]));
  assert.deepEqual(started.slice(2), ["api", "web"]);

  await client.call("service_action", { name: "db", action: "stop", cascade: true });
  const stopped = client.drain().filter((f) => f["data"]?.new_state === "stopped")
    .map((f) => f["data"].id);
  assert.deepEqual(stopped, ["web", "api", "db"]);

  // The plan says what is done then: cache runs, and a restart brings back what it stopped.
  const planAndDeed = async (name: string, action: string): Promise<[string[], string[]]> => {
    const request = { name, action, cascade: true };
    const { plan } = await client.call("service_action", { ...request, dry_run: true });
    client.drain();
    const done = await client.call("service_action", request);
    assert.deepEqual(done.plan, plan);
    const deeds: Record<string, string> = { stopped: "stop", running: "start" };
    return [
      plan.flatMap((s: Frame) => s["services"].map((id: string) => `${s["action"]} ${id}`)),
      client.drain().filter((f) => f["data"]?.new_state in deeds)
        .map((f) => `${deeds[f["data"].new_state]} ${f["data"].id}`),
    ];
  };
  const cases: Array<[string, string, string[]]> = [
    ["web", "start", ["start db", "start api", "start web"]],
    ["api", "restart", ["stop web", "stop api", "start api", "start web"]],
    ["cache", "stop", ["stop web", "stop api", "stop cache"]],
    ["api", "restart", ["start cache", "start api"]],
    ["api", "start", []],
    ["api", "stop", ["stop api"]],
  ];
  for (const [name, action, steps] of cases) {
    const [plan, deed] = await planAndDeed(name, action);
    assert.deepEqual(plan, steps, `${action} ${name}`);
    assert.deepEqual(deed, steps, `${action} ${name}`);
  }
  const alone = { name: "db", action: "restart", dry_run: true };
  assert.deepEqual((await client.call("service_action", alone)).plan, [
    { action: "restart", services: ["db"] },
  ]);
  // What would be refused is refused as a plan, too.
  const refused = await client.fail("service_action", { ...alone, action: "start" });
  assert.equal(refused.code, "invalid_transition");
  for (const name of ["db", "cache"]) {
    await client.call("service_action", { name, action: "stop" });
  }
});

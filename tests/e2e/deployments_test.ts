import assert from "node:assert/strict";
import { type ControlServer, startControlServer } from "../helpers/control_server.ts";
import { buildHello, freePort, upload } from "../helpers/hello_package.ts";
import { type Frame, RawClient } from "../helpers/raw_client.ts";
import { removeTree } from "../helpers/remove_tree.ts";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";

async function tempDir(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "harness-deployments-" });
  return { path, [Symbol.asyncDispose]: () => removeTree(path) };
}

async function connect(server: ControlServer): Promise<RawClient> {
  const client = await RawClient.ready(server.url, { deadlineMs: 60_000 });
  await client.call("subscribe", { events: ["deployment_progress"] });
  return client;
}

/** Waits for the last event of a deployment. */
async function finish(client: RawClient, deploymentId: string): Promise<Frame> {
  for (;;) {
    const { data } = await client.event("deployment_progress");
    const last = data.host === null && data.step === "finish";
    if (data.deployment_id === deploymentId && last) return data;
  }
}

Deno.test({
  name: "one dead host does not stop the others, and resume_deployment does only what is left",
  ignore: needs("sshd"),
  async fn() {
    await using dir = await tempDir();
    await using alive = await startSshd();
    await using dead = await startSshd({ sameUserKeyAs: alive });
    await Deno.writeTextFile(
      alive.knownHostsFile,
      await Deno.readTextFile(dead.knownHostsFile),
      { append: true },
    );
    const [first, second] = [alive, dead].map((s) => ({
      host: "127.0.0.1",
      user: s.user,
      port: s.port,
      identity_file: alive.identityFile,
      install_root: `${dir.path}/opt-${s.port}`,
    }));
    const built = await buildHello(dir.path, { version: "1.0.0", port: freePort() });
    await using server = await startControlServer({ dir: dir.path, sshd: alive });
    await using client = await connect(server);
    const file = await upload(server.http, built);

    await dead.stopListening();
    const { deployment_id } = await client.call("deploy_package", {
      package: file,
      targets: [first, second],
      secrets: { API_KEY: "canary-5d1f" },
    });
    assert.equal((await finish(client, deployment_id)).deployment_status, "partial");
    const partial = await client.call("get_deployment", { deployment_id });
    assert.deepEqual(partial.hosts.map((h: Frame) => h["outcome"]), ["ok", "unreachable"]);
    assert.match(partial.hosts[1].error.message, /127\.0\.0\.1/);
    const services = await client.call("list_services") as unknown as Frame[];
    assert.deepEqual(services.map((s) => [s["id"], s["state"]]), [
      [`hello-service@127.0.0.1:${alive.port}`, "running"],
    ]);

    await dead.start();
    const refused = await client.fail("resume_deployment", { deployment_id });
    assert.equal(refused.code, "invalid_params");
    assert.match(refused.message, /API_KEY/);
    // Both "hosts" are this machine: the port must be free for the second one.
    await client.call("service_action", {
      name: `hello-service@127.0.0.1:${alive.port}`,
      action: "stop",
    });
    const again = await client.call("resume_deployment", {
      deployment_id,
      secrets: { API_KEY: "canary-5d1f" },
    });
    assert.equal((await finish(client, again.deployment_id)).deployment_status, "succeeded");
    const resumed = await client.call("get_deployment", again);
    assert.equal(resumed.hosts.length, 1);
    assert.equal((await client.fail("resume_deployment", again)).code, "conflict");
    await client.call("service_action", {
      name: `hello-service@127.0.0.1:${dead.port}`,
      action: "stop",
    });

    // The secret is in the 0600 env file on the host and nowhere else.
    const said = JSON.stringify(client.log) + JSON.stringify(await client.call("list_deployments"));
    assert.ok(!said.includes("canary-5d1f"));
    for await (const path of filesBelow(`${dir.path}/state`)) {
      assert.ok(!(await Deno.readTextFile(path).catch(() => "")).includes("canary-5d1f"), path);
    }
  },
});

async function* filesBelow(dir: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(dir)) {
    if (entry.isDirectory) yield* filesBelow(`${dir}/${entry.name}`);
    else yield `${dir}/${entry.name}`;
  }
}

Deno.test("deploy_package: the same idempotency key is the same deployment", async () => {
  await using dir = await tempDir();
  await using server = await startControlServer({ dir: dir.path });
  await using client = await connect(server);
  await client.call("subscribe", { events: ["health_check_result"] });
  const health: unknown[] = [];
  const gate = server.registry.subscribe(({ event, data }) => {
    if (event !== "deployment_progress" || data.step !== "finish" || data.host !== "local") return;
    // Whoever reads that it is deployed reads that it is healthy, without waiting for a periodic check.
    health.push(server.registry.get("hello-service").last_health_check);
  });
  const built = await buildHello(dir.path, { version: "1.0.0", port: freePort() });
  const file = await upload(server.http, built);
  const request = { package: file, target: "local", idempotency_key: "release-42" };
  const one = await client.call("deploy_package", request);
  const two = await client.call("deploy_package", request);
  assert.equal(one.deployment_id, two.deployment_id);
  const other = await client.fail("deploy_package", { ...request, env: { A: "b" } });
  assert.equal(other.code, "conflict");
  assert.equal((await finish(client, one.deployment_id)).deployment_status, "succeeded");
  gate();
  assert.equal((health[0] as Frame)?.["healthy"], true);
  const told = await client.take((f) => f["event"] === "health_check_result", "its health");
  assert.deepEqual([told["data"].id, told["data"].healthy], ["hello-service", true]);
  await client.call("service_action", { name: "hello-service", action: "stop" });
});

Deno.test("deploy_package: while it runs, actions on the service are refused, and it can be cancelled", async () => {
  await using dir = await tempDir();
  await using server = await startControlServer({ dir: dir.path });
  await using client = await connect(server);
  const built = await buildHello(dir.path, { version: "1.0.0", port: freePort() });
  const file = await upload(server.http, built);
  const { deployment_id } = await client.call("deploy_package", {
    package: file,
    target: "local",
    env: { HELLO_UNHEALTHY: "yes" },
  });
  await client.take((f) => f["data"]?.step === "health", "the health step");
  const refused = await client.fail("service_action", { name: "hello-service", action: "stop" });
  assert.equal(refused.code, "conflict");
  assert.match(refused.message, new RegExp(deployment_id));
  await client.call("cancel_deployment", { deployment_id });
  assert.equal((await finish(client, deployment_id)).deployment_status, "cancelled");
  // It was the first one: nothing is there to go back to, so nothing is registered.
  assert.deepEqual(await client.call("list_services"), []);
});

Deno.test("deploy_package: what cannot work is refused before anything is done", async () => {
  await using dir = await tempDir();
  await using server = await startControlServer({ dir: dir.path });
  await using client = await connect(server);
  const file = await upload(
    server.http,
    await buildHello(dir.path, { version: "1.0.0", port: freePort() }),
  );
  const cases: Array<[Frame, string]> = [
    [{ package: "nope-1.0.0.tar.gz", target: "local" }, "not_found"],
    [{ package: "../../etc/passwd", target: "local" }, "not_found"],
    [{ package: file, target: "user@" }, "invalid_params"],
    [{ package: file, targets: ["local", "local"] }, "invalid_params"],
    [{ package: file }, "invalid_params"],
    [{ package: file, target: "local", targets: ["local"] }, "invalid_params"],
  ];
  for (const [params, code] of cases) {
    const error = await client.fail("deploy_package", params);
    assert.equal(error.code, code, `${JSON.stringify(params)}: ${error.message}`);
  }
  assert.equal((await client.fail("rollback_service", { name: "x" })).code, "not_found");
  assert.equal((await client.fail("get_deployment", { deployment_id: "d-9" })).code, "not_found");
  assert.deepEqual(await client.call("list_deployments"), []);
});

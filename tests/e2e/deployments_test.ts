import assert from "node:assert/strict";
import { startControlServer } from "../helpers/control_server.ts";
import { buildHello, freePort, upload } from "../helpers/hello_package.ts";
import type { Frame } from "../helpers/raw_client.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { connect, finish } from "./deployments_fixture.ts";

Deno.test("deploy_package: one idempotency key is one deployment", async () => {
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

Deno.test("deploy_package: refuses other actions, and can be cancelled", async () => {
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

Deno.test("deploy_package: a stopped service is stopped after a failure", async () => {
  await using dir = await tempDir();
  await using server = await startControlServer({ dir: dir.path });
  await using client = await connect(server);
  const deploy = async (version: string, env: Record<string, string>) => {
    const built = await buildHello(dir.path, { version, port: freePort() });
    const file = await upload(server.http, built);
    return await client.call("deploy_package", { package: file, target: "local", env });
  };
  const first = await deploy("1.0.0", {});
  assert.equal((await finish(client, first.deployment_id)).deployment_status, "succeeded");
  await client.call("service_action", { name: "hello-service", action: "stop" });
  const second = await deploy("1.1.0", { HELLO_UNHEALTHY: "yes" });
  await client.take((f) => f["data"]?.step === "health", "the health step");
  await client.call("cancel_deployment", { deployment_id: second.deployment_id });
  assert.equal((await finish(client, second.deployment_id)).deployment_status, "cancelled");
  const entry = await client.call("get_service", { name: "hello-service" });
  assert.deepEqual([entry.state, entry.version], ["stopped", "1.0.0"]);
});

Deno.test("deploy_package: refuses at once what cannot work", async () => {
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

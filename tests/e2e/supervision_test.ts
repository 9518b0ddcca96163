import assert from "node:assert/strict";
import type { ServiceEntry } from "../../src/model/service.ts";
import type { RegistryEvent } from "../../src/model/event.ts";
import { applyEvent } from "../../src/registry/apply_event.ts";
import { startControlServer } from "../helpers/control_server.ts";
import { buildHello, freePort, upload } from "../helpers/hello_package.ts";
import { type Frame, RawClient } from "../helpers/raw_client.ts";
import { removeTree } from "../helpers/remove_tree.ts";

async function finish(client: RawClient, deploymentId: string): Promise<string> {
  for (;;) {
    const { data } = await client.event("deployment_progress");
    const last = data.host === null && data.step === "finish";
    if (data.deployment_id === deploymentId && last) return data.deployment_status;
  }
}

Deno.test("supervision: restarts a crash, does not resolve a sick one", async (t) => {
  const dir = await Deno.makeTempDir({ prefix: "harness-supervision-" });
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => removeTree(dir));
  await using server = await startControlServer({ dir });
  await using client = await RawClient.ready(server.url, { deadlineMs: 60_000 });
  const sick = `${dir}/sick`;
  const built = await buildHello(dir, {
    version: "1.0.0",
    port: freePort(),
    health: `#!/bin/sh\ntest ! -e '${sick}' || { echo "the sick file is there"; exit 2; }\n`,
    manifest: (text) =>
      text.replace("interval: 5s", "interval: 200ms").replace("retries: 3", "retries: 2")
        .replace("start_period: 10s", "start_period: 100ms").replace(
          "backoff: 1s",
          "backoff: 100ms",
        ),
  });
  await client.call("subscribe", {});
  const file = await upload(server.http, built);
  const { deployment_id } = await client.call("deploy_package", { package: file, target: "local" });
  assert.equal(await finish(client, deployment_id), "succeeded");

  await t.step("SIGKILL: failed with the signal, then started again by its policy", async () => {
    const before = (await client.call("get_service", { name: "hello-service" })).execution.pid;
    client.drain();
    Deno.kill(before, "SIGKILL");
    const states: string[] = [];
    let last: Frame = {};
    while (states.at(-1) !== "running") {
      last = (await client.event("service_state_changed"))["data"];
      states.push(last["new_state"]);
      if (last["new_state"] === "failed") {
        assert.match(last["reason"], /KILL/);
        assert.equal(last["details"].signal, "SIGKILL");
        assert.ok(Array.isArray(last["details"].log));
      }
    }
    assert.deepEqual(states, ["failed", "starting", "running"]);
    assert.match(last["reason"], /restart 1 of 5 by policy/);
    const after = (await client.call("get_service", { name: "hello-service" })).execution.pid;
    assert.notEqual(after, before);
  });

  await t.step(
    "unhealthy: told after its retries, left out of resolve_endpoint, and back again",
    async () => {
      await Deno.writeTextFile(sick, "");
      const bad = await client.take(
        (f) => f["event"] === "health_check_result" && !f["data"].healthy,
        "an unhealthy result",
      );
      assert.match(bad["data"].message, /sick file/);
      const refused = await client.fail("resolve_endpoint", { service: "hello-service" });
      assert.equal(refused.code, "unavailable");
      client.drain(); // healthy results from before
      await Deno.remove(sick);
      await client.take(
        (f) => f["event"] === "health_check_result" && f["data"].healthy,
        "a healthy result",
      );
      const endpoints = await client.call("resolve_endpoint", { service: "hello-service" });
      assert.equal(endpoints["length"], 1);
    },
  );

  await t.step("stopped by a client it stays down", async () => {
    await client.call("service_action", { name: "hello-service", action: "stop" });
    const stopped = server.registry.get("hello-service");
    assert.deepEqual([stopped.state, stopped.last_health_check], ["stopped", null]);
    await using reader = await RawClient.ready(server.url, { deadlineMs: 60_000 });
    const { epoch, seq } = server.registry;
    await reader.call("subscribe", { since: { epoch, seq: 0 } });
    const mirror = new Map<string, ServiceEntry>();
    for (let last = 0; last < seq;) {
      const event = await reader.event();
      applyEvent(mirror, event as unknown as RegistryEvent);
      last = event["seq"];
    }
    assert.deepEqual(mirror.get("hello-service"), stopped, "the history tells the same");
    await client.call("deregister_service", { name: "hello-service" });
    assert.equal((await client.fail("service_logs", { name: "hello-service" })).code, "not_found");
  });
});

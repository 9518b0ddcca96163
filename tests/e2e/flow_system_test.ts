import assert from "node:assert/strict";
import { startControlServer } from "../helpers/control_server.ts";
import { answer, buildHello, freePort, upload } from "../helpers/hello_package.ts";
import { type Frame, RawClient } from "../helpers/raw_client.ts";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";
import { tempDir } from "../helpers/temp_dir.ts";

/** Waits for the last event of a deployment; answers all its events. */
async function finished(client: RawClient, deploymentId: string): Promise<Frame[]> {
  const events: Frame[] = [];
  for (;;) {
    const { data } = await client.event("deployment_progress");
    if (data.deployment_id !== deploymentId) continue;
    events.push(data);
    if (data.host === null && data.step === "finish") return events;
  }
}

Deno.test({
  name: "flow: deploy over SSH, update, roll back, restart the server",
  ignore: needs("sshd"),
  async fn(t) {
    await using dir = await tempDir();
    await using sshd = await startSshd();
    const target = `${sshd.user}@127.0.0.1:${sshd.port}`;
    const port = freePort();
    const v1 = await buildHello(dir.path, { version: "1.0.0", port });
    const v2 = await buildHello(dir.path, { version: "1.1.0", port });
    let pid = 0;

    {
      await using server = await startControlServer({ dir: dir.path, sshd });
      await using client = await RawClient.ready(server.url, { deadlineMs: 60_000 });
      await client.call("subscribe", { events: ["deployment_progress", "service_state_changed"] });

      await t.step("deploy_package answers at once and reports every step", async () => {
        const file = await upload(server.http, v1);
        const { deployment_id } = await client.call("deploy_package", { package: file, target });
        const events = await finished(client, deployment_id);
        const done = events.filter((e) => e.status === "done" || e.status === "skipped");
        assert.deepEqual(done.map((e) => e.step), [
          ...["connect", "lock", "preflight", "upload", "verify", "extract", "configure"],
          ...["switch", "start", "health", "commit", "prune", "unlock", "finish", "finish"],
        ]);
        assert.equal(events.at(-2)?.outcome, "ok");
        const order = client.log.filter((f) =>
          f["data"]?.new_state === "running" || f["data"]?.step === "finish"
        );
        assert.deepEqual(
          order.map((f) => f["event"]),
          ["service_state_changed", "deployment_progress", "deployment_progress"],
          "who reads finish finds the service running",
        );
        assert.equal(events.at(-1)?.deployment_status, "succeeded");
        const service = await client.call("get_service", { name: "hello-service" });
        assert.equal(service.state, "running");
        assert.equal(service.location.host, "127.0.0.1");
        assert.equal(service.endpoints[0].address, `127.0.0.1:${port}`);
        assert.equal((await answer(port)).version, "1.0.0");
        const [endpoint] = await client.call("resolve_endpoint", {
          service: "hello-service",
        }) as unknown as Frame[];
        assert.equal(endpoint?.address, `127.0.0.1:${port}`);
      });

      await t.step("service_action restart is real: another pid answers", async () => {
        const before = (await answer(port)).pid;
        const result = await client.call("service_action", {
          name: "hello-service",
          action: "restart",
        });
        assert.deepEqual([result.old_state, result.new_state], ["running", "running"]);
        assert.notEqual((await answer(port)).pid, before);
      });

      await t.step("the same package again is a no-op", async () => {
        const before = (await answer(port)).pid;
        const { deployment_id } = await client.call("deploy_package", {
          package: "hello-service@1.0.0",
          target,
        });
        const events = await finished(client, deployment_id);
        assert.equal(events.at(-1)?.deployment_status, "succeeded");
        assert.equal((await answer(port)).pid, before);
      });

      await t.step("a newer version replaces it, and rollback_service brings it back", async () => {
        const file = await upload(server.http, v2);
        const update = await client.call("deploy_package", { package: file, target });
        await finished(client, update.deployment_id);
        assert.equal((await answer(port)).version, "1.1.0");
        const back = await client.call("rollback_service", { name: "hello-service" });
        const events = await finished(client, back.deployment_id);
        assert.equal(events.at(-1)?.deployment_status, "succeeded");
        assert.equal((await answer(port)).version, "1.0.0");
        const service = await client.call("get_service", { name: "hello-service" });
        assert.deepEqual([service.version, service.state], ["1.0.0", "running"]);
      });

      await t.step("a release that never gets healthy is rolled back by itself", async () => {
        const bad = await buildHello(dir.path, {
          version: "1.2.0",
          port,
          manifest: (text) =>
            text.replace("start_period: 10s", "start_period: 1s").replace(
              "retries: 3",
              "retries: 1",
            ),
        });
        const file = await upload(server.http, bad);
        const { deployment_id } = await client.call("deploy_package", {
          package: file,
          target,
          env: { HELLO_UNHEALTHY: "yes" },
        });
        const events = await finished(client, deployment_id);
        assert.equal(events.at(-1)?.deployment_status, "rolled_back");
        assert.equal((await answer(port)).version, "1.0.0");
        const deployment = await client.call("get_deployment", { deployment_id });
        assert.equal(deployment.status, "rolled_back");
        assert.match(deployment.hosts[0].error.message, /health|503/i);
        const service = await client.call("get_service", { name: "hello-service" });
        assert.deepEqual([service.version, service.state], ["1.0.0", "running"]);
      });

      await t.step("a rollback to what is not there leaves state and reason alone", async () => {
        const before = await client.call("get_service", { name: "hello-service" });
        const { deployment_id } = await client.call("rollback_service", {
          name: "hello-service",
          version: "9.9.9",
        });
        const events = await finished(client, deployment_id);
        assert.equal(events.at(-1)?.deployment_status, "failed");
        const after = await client.call("get_service", { name: "hello-service" });
        assert.deepEqual([after.state, after.state_reason], [before.state, before.state_reason]);
      });
      pid = (await client.call("get_service", { name: "hello-service" })).execution.pid;
    }

    await t.step("after a restart of the server it is found again with the same pid", async () => {
      await using server = await startControlServer({ dir: dir.path, sshd });
      await using client = await RawClient.ready(server.url, { deadlineMs: 60_000 });
      const service = await client.call("get_service", { name: "hello-service" });
      assert.deepEqual([service.state, service.execution.pid], ["running", pid]);
      assert.equal((await answer(port)).version, "1.0.0");
      const deployments = await client.call("list_deployments", {}) as unknown as Frame[];
      assert.deepEqual(deployments.slice(0, 2).map((d) => d["status"]), ["failed", "rolled_back"]);
      assert.equal(deployments.length, 6);

      const stopped = await client.call("service_action", {
        name: "hello-service",
        action: "stop",
      });
      assert.equal(stopped.new_state, "stopped");
      await assert.rejects(answer(port));
      const logs = await client.call("service_logs", { name: "hello-service", tail: 5 });
      assert.ok(logs.lines.length > 0);
    });
  },
});

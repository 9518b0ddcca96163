import assert from "node:assert/strict";
import { configure, type LogRecord, reset } from "@logtape/logtape";
import { startControlServer } from "../helpers/control_server.ts";
import { buildHello, freePort, upload } from "../helpers/hello_package.ts";
import { type Frame, RawClient } from "../helpers/raw_client.ts";
import { removeTree } from "../helpers/remove_tree.ts";

Deno.test("server log: a line when an action begins and when it ends", async () => {
  const lines: string[] = [];
  const sink = ({ level, message, properties }: LogRecord) => {
    lines.push(`${level} ${message.join("")}`);
    assert.ok(!JSON.stringify(properties).includes("canary-03e1"));
  };
  await using stack = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "harness-server-log-" });
  stack.defer(() => removeTree(dir));
  await configure({
    reset: true,
    sinks: { sink },
    loggers: [
      { category: "harness", lowestLevel: "info", sinks: ["sink"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: [] },
    ],
  });
  stack.defer(reset);
  const server = stack.use(await startControlServer({ dir }));
  const client = stack.use(await RawClient.ready(server.url, { deadlineMs: 60_000 }));
  await client.call("subscribe", { events: ["deployment_progress"] });
  const end = (id: string) =>
    client.take((f) => f["data"]?.deployment_id === id && f["data"]?.host === null, "the end");
  const built = await buildHello(dir, { version: "1.0.0", port: freePort() });
  const request = {
    package: await upload(server.http, built),
    target: "local",
    secrets: { KEY: "canary-03e1" },
  };
  const one = (await client.call("deploy_package", request)).deployment_id;
  await end(one);
  await client.call("service_action", { name: "hello-service", action: "stop" });
  await client.fail("service_action", { name: "hello-service", action: "stop" });
  const two = (await client.call("deploy_package", {
    ...request,
    env: { HELLO_UNHEALTHY: "yes" },
  })).deployment_id;
  const isChecked = ({ data }: Frame) => data?.deployment_id === two && data.step === "health";
  await client.take(isChecked, "the health step");
  await client.call("cancel_deployment", { deployment_id: two });
  await end(two);
  assert.deepEqual(lines.filter((line) => / of hello-service /.test(line)), [
    `info deploy ${one} of hello-service by anonymous begins`,
    `info deploy ${one} of hello-service ended: succeeded`,
    "info stop of hello-service by anonymous (127.0.0.1) begins",
    "info stop of hello-service ended: running → stopped",
    "info stop of hello-service by anonymous (127.0.0.1) begins",
    "warning stop of hello-service failed: invalid_transition",
    `info deploy ${two} of hello-service by anonymous begins`,
    `info deploy ${two} of hello-service is cancelled by anonymous (127.0.0.1)`,
    `warning deploy ${two} of hello-service ended: cancelled`,
  ]);
});

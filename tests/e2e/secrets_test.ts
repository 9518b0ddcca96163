import assert from "node:assert/strict";
import { startControlServer } from "../helpers/control_server.ts";
import { buildHello, freePort, upload } from "../helpers/hello_package.ts";
import { RawClient } from "../helpers/raw_client.ts";
import { removeTree } from "../helpers/remove_tree.ts";

const CANARY = "canary-7e30b1";

/** A release that tells its secret as it fails. */
const START = `#!/bin/sh
echo "API_TOKEN is $API_TOKEN" >&2
exit 7
`;

async function* filesBelow(dir: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(dir)) {
    if (entry.isDirectory) yield* filesBelow(`${dir}/${entry.name}`);
    else yield `${dir}/${entry.name}`;
  }
}

Deno.test("secrets: a secret variable stays one when it comes as env", async () => {
  const dir = await Deno.makeTempDir({ prefix: "harness-secrets-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => removeTree(dir));
  const server = stack.use(await startControlServer({ dir }));
  const client = stack.use(await RawClient.ready(server.url, { deadlineMs: 60_000 }));
  await client.call("subscribe", {});
  const built = await buildHello(dir, {
    version: "1.0.0",
    port: freePort(),
    manifest: (text) => text.replace(/^env:$/m, "env:\n  API_TOKEN: { secret: true }"),
    start: START,
  });
  const request = {
    package: await upload(server.http, built),
    target: "local",
    env: { API_TOKEN: CANARY, PLAIN: "seen" },
    idempotency_key: "once",
  };
  const { deployment_id } = await client.call("deploy_package", request);
  assert.equal((await client.call("deploy_package", request)).deployment_id, deployment_id);
  const ended = await client.take(
    (f) => f["data"]?.host === null && f["data"]?.step === "finish",
    "the end",
  );
  assert.equal(ended["data"].deployment_status, "failed");

  const shown = await client.call("get_deployment", { deployment_id });
  assert.match(shown.hosts[0].error.message + JSON.stringify(shown), /\[REDACTED\]/);
  const record = await Deno.readTextFile(`${dir}/state/deployments/${deployment_id}.json`);
  assert.match(record, /"PLAIN": ?"seen"/);
  assert.match(record, /"secret_names": ?\[\s*"API_TOKEN"\s*\]/);
  for await (const path of filesBelow(`${dir}/state`)) {
    assert.ok(!(await Deno.readTextFile(path).catch(() => "")).includes(CANARY), path);
  }
  const refused = await client.fail("resume_deployment", { deployment_id });
  assert.equal(refused.code, "invalid_params");
  assert.match(refused.message, /API_TOKEN/);
  assert.ok(!JSON.stringify(client.log).includes(CANARY));
});

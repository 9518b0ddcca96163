import assert from "node:assert/strict";
import { startControlServer } from "../helpers/control_server.ts";
import { buildHello, freePort, upload } from "../helpers/hello_package.ts";
import type { Frame } from "../helpers/raw_client.ts";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { connect, finish } from "./deployments_fixture.ts";

Deno.test({
  name: "resume_deployment: does only what a dead host left undone",
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
    // The service is managed over the connection that deployed it.
    assert.equal(alive.log().match(/Accepted publickey/g)?.length, 1);
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

import assert from "node:assert/strict";
import { startServer } from "../helpers/cli.ts";
import { answer, buildHello, freePort, upload } from "../helpers/hello_package.ts";
import { eventually, type Frame, RawClient, untilPasses } from "../helpers/raw_client.ts";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";
import { isAlive, pidsWith } from "../lifecycle/fixture.ts";

/** At which step of the second deployment the server is killed. */
const KILL_AT = ["upload", "start", "health"];

/** A health check that does not come to an end while `hold` is there: the deployment cannot be over before the kill. */
const healthHeldBy = (hold: string) =>
  `#!/bin/sh\nwhile [ -e '${hold}' ]; do sleep 0.1; done\nset -eu\n` +
  `. "$(dirname -- "$0")/runtime.sh"\nexec_server --check\n`;

/** The processes of watchers below a process. */
async function watchersBelow(root: number): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await pidsWith("h_new_marks")) {
    let parent = pid;
    while (parent > 1 && parent !== root) {
      const stat = await Deno.readTextFile(`/proc/${parent}/stat`).catch(() => "");
      parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
    }
    if (parent === root) found.push(pid);
  }
  return found;
}

async function finish(client: RawClient, deploymentId: string): Promise<string> {
  for (;;) {
    const { data } = await client.event("deployment_progress");
    const last = data.host === null && data.step === "finish";
    if (data.deployment_id === deploymentId && last) return data.deployment_status;
  }
}

Deno.test({
  name: "server crash: a deployment it interrupted can be finished",
  ignore: needs("sshd"),
  async fn(t) {
    await using sshd = await startSshd();
    const dir = sshd.dir;
    const port = freePort();
    const args = [
      ...["--identity", sshd.identityFile, "--known-hosts", sshd.knownHostsFile],
      ...["--ssh-config", "none", "--install-root", `${dir}/opt`],
    ];
    const stateDir = `${dir}/state`;
    const target = `${sshd.user}@127.0.0.1:${sshd.port}`;
    const version = async () => (await answer(port)).version;

    await t.step("killed while it runs a service: found again with the same pid", async () => {
      let pid = 0;
      {
        await using server = await startServer(["--allow-unauthenticated", ...args], { stateDir });
        await using client = await RawClient.ready(server.url, { deadlineMs: 60_000 });
        await client.call("subscribe", { events: ["deployment_progress"] });
        const http = server.url.replace(/^ws/, "http");
        const file = await upload(http, await buildHello(dir, { version: "1.0.0", port }));
        const { deployment_id } = await client.call("deploy_package", { package: file, target });
        assert.equal(await finish(client, deployment_id), "succeeded");
        pid = (await client.call("get_service", { name: "hello-service" })).execution.pid;
        const watchers = await untilPasses(async () => {
          const pids = await watchersBelow(sshd.pid);
          assert.ok(pids.length > 0, "it watches the machine");
          return pids;
        });
        server.cli.kill("SIGKILL");
        await client.closed;
        await untilPasses(async () => {
          assert.deepEqual(await Promise.all(watchers.map(isAlive)), watchers.map(() => false));
        });
      }
      await using server = await startServer(["--allow-unauthenticated", ...args], { stateDir });
      await using client = await RawClient.ready(server.url);
      const service = await client.call("get_service", { name: "hello-service" });
      assert.deepEqual([service.state, service.execution.pid], ["running", pid]);
    });

    for (const [round, step] of KILL_AT.entries()) {
      await t.step(`killed at ${step}`, async () => {
        const next = `1.${round + 1}.0`;
        const before = await version();
        const hold = `${dir}/hold-${next}`;
        await Deno.writeTextFile(hold, "");
        let deployment_id = "";
        {
          await using server = await startServer(["--allow-unauthenticated", ...args], {
            stateDir,
          });
          await using client = await RawClient.ready(server.url, { deadlineMs: 60_000 });
          await client.call("subscribe", { events: ["deployment_progress"] });
          const http = server.url.replace(/^ws/, "http");
          const health = healthHeldBy(hold);
          const file = await upload(http, await buildHello(dir, { version: next, port, health }));
          ({ deployment_id } = await client.call("deploy_package", { package: file, target }));
          await client.take((f) => f["data"]?.step === step, step);
          server.cli.kill("SIGKILL");
          await client.closed;
        }
        await Deno.remove(hold);
        await using server = await startServer(["--allow-unauthenticated", ...args], { stateDir });
        await using client = await RawClient.ready(server.url, { deadlineMs: 60_000 });
        await client.call("subscribe", { events: ["deployment_progress"] });
        const record = await client.call("get_deployment", { deployment_id });
        assert.equal(record.status, "interrupted");
        assert.match(record.hosts[0].error.message, /resume it to finish it/);

        // The host puts itself right when the dead server's lock runs out: old or new, and it answers.
        let again: Frame = {};
        await eventually(
          async () => {
            const request = await client.call("resume_deployment", { deployment_id });
            const status = await finish(client, request["deployment_id"]);
            again = await client.call("get_deployment", request);
            return status === "succeeded";
          },
          `the lock to free itself: ${JSON.stringify(again)}`,
          90_000,
        );
        assert.notEqual(before, next);
        assert.equal(await version(), next);
        const service = await client.call("get_service", { name: "hello-service" });
        assert.deepEqual([service.version, service.state], [next, "running"]);
        const left = [...Deno.readDirSync(`${dir}/opt/.harness/hello-service`)].map((e) => e.name);
        assert.ok(!left.includes("staging") && !left.includes("lock"), left.join(" "));
      });
    }

    await t.step("stopped in the end", async () => {
      await using server = await startServer(["--allow-unauthenticated", ...args], { stateDir });
      await using client = await RawClient.ready(server.url);
      await client.call("service_action", { name: "hello-service", action: "stop" });
      await assert.rejects(version());
    });
  },
});

/** What is left when something dies at the wrong moment. */
import assert from "node:assert/strict";
import { connectSsh } from "../../src/executor/ssh/connect.ts";
import { checkHealth } from "../../src/lifecycle/health/check.ts";
import { startHost } from "../hosts/hosts.ts";
import { needs } from "../helpers/require.ts";
import { startSshd } from "../helpers/sshd.ts";
import { health, isAlive, Place, processController } from "./fixture.ts";
import { untilPasses } from "../helpers/raw_client.ts";

const LOOP = "while :; do sleep 0.2; done";

Deno.test({
  name: "process: survives its SSH connection and sshd",
  ignore: needs("sshd"),
  async fn() {
    await using place = new Place();
    await using sshd = await startSshd();
    const { host, port, user, identityFile, knownHostsFile } = sshd;
    const connect = () =>
      connectSsh({ host, port, user, identityFile }, {
        knownHostsFiles: [knownHostsFile],
        sshConfigFile: null,
        agentSocket: null,
      });
    const over = (executor: Awaited<ReturnType<typeof connect>>) =>
      processController({ executor, [Symbol.asyncDispose]: () => Promise.resolve() }, spec);
    const spec = place.shell("api", "while :; do echo tick; sleep 0.1; done");
    let pid: number | null;
    {
      await using executor = await connect();
      ({ pid } = await over(executor).start());
      await sshd.stopListening();
      await sshd.killConnections();
    }
    assert.ok(await isAlive(pid ?? 0));
    await sshd.start();
    await using executor = await connect();
    assert.equal((await over(executor).status()).pid, pid);
    assert.equal((await over(executor).stop()).running, false);
  },
});

Deno.test({
  name: "process: BusyBox and dropbear alone are enough",
  ignore: needs("docker", "root", "busybox", "dropbear"),
  async fn() {
    await using host = await startHost({ kind: "busybox" });
    await using executor = await host.connect();
    await using place = new Place();
    const spec = place.shell("api", `echo "up as $(id -un)"; ${LOOP}`, {
      workDir: "/",
      runDir: "/run/h/run",
      logDir: "/run/h/log",
      health: health({ type: "tcp", port: 22 }, { timeoutMs: 10_000 }),
    });
    const machine = { executor, [Symbol.asyncDispose]: () => Promise.resolve() };
    const controller = processController(machine, spec);
    const { pid } = await controller.start();
    assert.deepEqual(await controller.logs(3), ["up as root"]);
    const checked = await checkHealth(executor, spec);
    assert.equal(checked.healthy, true, checked.message);
    await host.sh(`kill -9 ${pid}`);
    await untilPasses(async () => assert.equal((await controller.status()).signal, "SIGKILL"));
    assert.ok((await controller.start()).running);
    assert.equal((await controller.stop()).running, false);
  },
});

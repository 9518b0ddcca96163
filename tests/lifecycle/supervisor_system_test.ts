import assert from "node:assert/strict";
import { HarnessError } from "../../src/errors.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { connectSsh } from "../../src/executor/ssh/connect.ts";
import { startSshd } from "../helpers/sshd.ts";
import { needs } from "../helpers/require.ts";
import { LOOP, service, Watcher } from "./watcher.ts";
import { kill, Place } from "./fixture.ts";
import { untilPasses } from "../helpers/raw_client.ts";

Deno.test({
  name: "Supervisor: one command per machine, unreachable is no crash",
  ignore: needs("sshd"),
  async fn() {
    await using place = new Place();
    await using sshd = await startSshd();
    const { host, port, user, identityFile, knownHostsFile } = sshd;
    let opening: Promise<Executor> | null = null;
    let scripts = 0;
    const connect = async (): Promise<Executor> => {
      const mine = opening ??= connectSsh({ host, port, user, identityFile }, {
        knownHostsFiles: [knownHostsFile],
        sshConfigFile: null,
        agentSocket: null,
        connectAttempts: 1,
      });
      const forget = () => {
        if (opening === mine) opening = null;
      };
      const inner = await mine.catch((error) => {
        forget();
        throw error;
      });
      return {
        host: inner.host,
        run: async (command, options) => {
          scripts++;
          try {
            return await inner.run(command, options);
          } catch (error) {
            if (error instanceof HarnessError && error.code === "unreachable") {
              forget();
              await inner[Symbol.asyncDispose]();
            }
            throw error;
          }
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
    };
    const closeConnection = async () => await (await opening)?.[Symbol.asyncDispose]();
    const intervalMs = 1_000;
    await using watcher = new Watcher({ executorFor: connect, remoteIntervalMs: intervalMs });
    const { supervisor } = watcher;
    const names = ["a", "b", "c", "d", "e"];
    const pids = new Map<string, number>();
    for (const name of names) {
      const spec = place.shell(name, LOOP, { restart: { policy: "on-failure", backoffMs: 50 } });
      await supervisor.watch(service(spec, "far"), { running: false });
      pids.set(name, (await supervisor.start(name)).pid ?? 0);
    }
    scripts = 0;
    const begun = performance.now();
    await supervisor.poll("far");
    // Besides ours those that are made all the time: more where ours takes long.
    const looks = 2 + Math.floor((performance.now() - begun) / intervalMs);
    assert.ok(scripts <= looks, `${scripts} commands for ${looks} looks at five services`);
    kill(pids.get("c"));
    await untilPasses(() =>
      assert.deepEqual(watcher.states("c").slice(2), ["failed", "starting", "running"])
    );

    watcher.events.length = 0;
    await sshd.stopListening();
    await sshd.killConnections();
    await untilPasses(() => assert.equal(watcher.of("host").at(-1)?.reachable, false));
    assert.deepEqual(watcher.of("host").at(-1)?.ids, names);
    await sshd.start();
    await untilPasses(() => assert.equal(watcher.of("host").at(-1)?.reachable, true));
    assert.deepEqual(watcher.of("state"), [], "no service failed because its machine was away");
    assert.equal((await (await supervisor.controller("a")).status()).pid, pids.get("a"));
    for (const name of names) await supervisor.stop(name);
    watcher.events.length = 0;
    await supervisor[Symbol.asyncDispose]();
    await closeConnection();
  },
});

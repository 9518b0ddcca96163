import assert from "node:assert/strict";
import { needs } from "../helpers/require.ts";
import { startHost } from "./hosts.ts";

Deno.test({
  name: "systemd host: PID 1 is systemd, root and sudo user log in",
  ignore: needs("docker", "root"),
  async fn() {
    await using host = await startHost();
    await using root = await host.connect();
    const init = await root.run({ argv: ["cat", "/proc/1/comm"] });
    assert.equal(init.stdout.trim(), "systemd");
    await using deploy = await host.connect("deploy");
    const who = await deploy.run({ argv: ["sudo", "-n", "id", "-un"] });
    assert.deepEqual([who.exitCode, who.stdout.trim()], [0, "root"]);
  },
});

Deno.test({
  name: "busybox host: has only BusyBox and dropbear",
  ignore: needs("docker", "root", "busybox", "dropbear"),
  async fn() {
    await using host = await startHost({ kind: "busybox" });
    await using root = await host.connect();
    const sh = await root.run({ argv: ["readlink", "/bin/tar"] });
    assert.equal(sh.stdout.trim(), "busybox");
  },
});

import assert from "node:assert/strict";
import { connectSsh } from "../../src/executor/ssh/connect.ts";
import { startBusyBoxHost } from "../helpers/busybox_host.ts";
import { needs } from "../helpers/require.ts";

const LONG = `# ${'it\'s \\ a "long" comment $HOME `x` é '.repeat(1000)}\nprintf '%s|' "$@"\ncat\n`;

Deno.test({
  name: "Executor.run: commands longer than dropbear's limit",
  ignore: needs("dropbear", "busybox", "root"),
  async fn() {
    await using host = await startBusyBoxHost();
    await using machine = await connectSsh(
      { host: host.host, port: host.port, user: host.user, identityFile: host.identityFile },
      { knownHostsFiles: [host.knownHostsFile], sshConfigFile: null, agentSocket: null },
    );
    const { stdout, exitCode } = await machine.run(
      { script: LONG, args: ["a b", ""] },
      { stdin: new Blob(["from stdin"]).stream() },
    );
    assert.deepEqual([exitCode, stdout], [0, "a b||from stdin"]);
  },
});
